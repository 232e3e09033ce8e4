"""Dependencies: each has its reason, its pin and its hash, and none is used without being declared."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))

MODULES = {
    "argon2": "argon2-cffi",
    "Crypto": "pycryptodome",
    "jwt": "pyjwt",
    "opentelemetry": "opentelemetry-sdk",
    "prometheus_client": "prometheus-client",
    "yaml": "pyyaml",
}
"""Packages that are imported by another name than they are installed by."""


def name(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement).group().lower()


DECLARED = sorted(name(requirement) for requirement in PROJECT["project"]["dependencies"])
OPTIONAL = {
    name(requirement)
    for group in PROJECT["project"].get("optional-dependencies", {}).values()
    for requirement in group
}


def table(title):
    text = (ROOT / "docs" / "dependencies.md").read_text()
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| ([a-z][a-z0-9-]*) \| (.+) \|$", section, re.MULTILINE))


def test_every_dependency_at_run_time_has_a_reason_and_no_reason_lacks_a_dependency():
    reasons = table("At run time")
    assert sorted(set(reasons) - {"package"}) == DECLARED
    assert all(len(reason) > 10 for package, reason in reasons.items() if package != "package")


def test_every_tool_of_development_has_a_reason():
    text = (ROOT / "docs" / "dependencies.md").read_text().lower()
    listed = [
        name(line)
        for file in (ROOT / "requirements").glob("*.in")
        for line in file.read_text().splitlines()
        if line and line[0] not in "#-"
    ]
    assert [package for package in listed if package not in text] == []


def test_every_dependency_at_run_time_is_pinned():
    pins = (ROOT / "requirements" / "run.txt").read_text()
    assert [package for package in DECLARED if f"\n{package}==" not in f"\n{pins}"] == []


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.name)
def test_requirements_are_exact_hashed_and_name_no_place(file):
    entries = re.sub(r"#.*", "", file.read_text()).replace("\\\n", " ").splitlines()
    entries = [entry.strip() for entry in entries if entry.strip()]
    assert entries
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9._-]+==\S+( ; .+?)?(\s+--hash=sha256:[0-9a-f]{64})+", entry), entry


def test_environments_that_are_merged_pin_the_same_versions():
    pins = {}
    for file in ("run", "dev", "clients", "fuzz"):
        for package, version in re.findall(
            r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements" / f"{file}.txt").read_text(), re.MULTILINE
        ):
            assert pins.setdefault(package, version) == version, package


def imported(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def test_what_the_package_imports_is_declared_and_what_is_declared_is_imported():
    modules = {
        module.partition(".")[0] for file in (ROOT / "src").rglob("*.py") for module in imported(file)
    } - {"keystead", "keystead_verify", *sys.stdlib_module_names}
    packages = {MODULES.get(module, module) for module in modules}
    assert packages - OPTIONAL == set(DECLARED) - OPTIONAL
