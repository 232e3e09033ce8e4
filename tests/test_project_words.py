"""What is published names no machine, no registry and nobody's tools."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GIT = shutil.which("git")

# In two parts each, so that this file does not hold them.
FORBIDDEN = [
    first + second
    for first, second in [
        ("/wor", "k/"),
        ("/tmp/", "ks"),
        ("/root", "/"),
        ("/opt/", "pypi"),
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("registry", ".npmjs"),
        ("deb", ".debian"),
        ("proxy.golang", ".org"),
        ("subage", "nt"),
        ("sub-age", "nt"),
        ("chatg", "pt"),
        ("clau", "de"),
        ("anthro", "pic"),
        ("copi", "lot"),
        ("language ", "model"),
        ("founding ", "issue"),
        ("this ", "session's"),
        ("shared/", "reference"),
        ("shared/", "architecture"),
        ("shared/", "operator"),
    ]
]
WORDS = re.compile("|".join(re.escape(word) for word in FORBIDDEN), re.IGNORECASE)


def tracked():
    if GIT is None or not (ROOT / ".git").exists():
        pytest.skip("not a git work tree: which files are published is not known")
    listed = subprocess.run([GIT, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_no_published_file_names_a_machine_a_registry_or_a_tool():
    found = []
    for file in tracked():
        if not file.is_file():
            continue
        text = file.read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if match := WORDS.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {match.group()}")
    assert found == []


def test_no_published_file_is_made_by_a_build_or_holds_a_deployment():
    suspicious = re.compile(r"(\.pyc|\.sealed|\.tfstate|seal\.key|store\.db|\.egg-info)(/|$)")
    assert [str(file) for file in tracked() if suspicious.search(str(file))] == []
