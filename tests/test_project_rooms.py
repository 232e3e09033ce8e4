"""The house keeps its shape: rooms say what they are, pure ones stay pure, files stay short."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "keystead"
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
PURE_STOREYS = ("analysis", "policy", "crypto")
"""A room of each storey that holds only pure rooms."""

LONGEST = 400
GENERATED = PACKAGE / "wire" / "models"


def storeys():
    return [re.findall(r"\w+", storey) for storey in CONTRACTS["storeys"]["layers"]]


def parsed(file):
    return ast.parse(file.read_text())


def files_of(module):
    place = ROOT / "src" / module.replace(".", "/")
    return sorted(place.rglob("*.py")) or [place.with_suffix(".py")]


def rooms():
    return sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)


def test_every_room_of_a_pure_storey_is_held_to_purity():
    pure = [room for storey in storeys() if set(storey) & set(PURE_STOREYS) for room in storey]
    present = [room for room in pure if (PACKAGE / room).exists()]
    assert present
    named = {module.removeprefix("keystead.") for module in CONTRACTS["pure"]["source_modules"]}
    assert set(present) <= named


def test_pure_rooms_do_not_ask_what_time_it_is():
    clocks = {"now", "utcnow", "today"}
    asked = [
        f"{file.relative_to(PACKAGE)}:{node.lineno}"
        for module in CONTRACTS["pure"]["source_modules"]
        for file in files_of(module)
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Attribute)
        and node.attr in clocks
        and isinstance(node.value, ast.Name)
        and node.value.id in {"datetime", "date"}
    ]
    assert asked == []


@pytest.mark.parametrize("room", rooms(), ids=lambda room: str(room.relative_to(PACKAGE)))
def test_every_room_says_what_it_owns(room):
    tree = parsed(room / "__init__.py")
    assert len(ast.get_docstring(tree) or "") > 40
    # A room that lends all that its files define has nothing to choose, and so nothing to list.
    lends = any(isinstance(node, ast.ImportFrom) and node.names[0].name != "*" for node in tree.body)
    assert not lends or "\n__all__ = " in (room / "__init__.py").read_text()


def test_no_file_is_longer_than_a_reader_keeps_in_mind():
    files = [file for folder in ("src", "fuzz") for file in (ROOT / folder).rglob("*.py")]
    lengths = {file: len(file.read_text().splitlines()) for file in files if file.parent != GENERATED}
    assert {str(file): length for file, length in lengths.items() if length > LONGEST} == {}


def test_test_files_have_names_of_their_own():
    names = [file.name for file in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_the_commands_that_contributors_are_told_exist():
    told = set(re.findall(r"`make ([a-z0-9-]+)", (ROOT / "CONTRIBUTING.md").read_text()))
    rules = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert told == rules


def test_ci_can_be_run():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_decisions_are_numbered_one_after_the_other():
    pages = sorted((ROOT / "docs/adr").glob("0*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    titles = [page.read_text().partition("\n")[0] for page in pages]
    assert all(title.startswith(f"# {number}. ") for number, title in enumerate(titles, 1))
