"""The modules that a compiled wheel holds: which may be among them, and that a test run is of what it says."""

import ast
import importlib
import os
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
MODULES = WHEEL["hooks"]["custom"]["modules"]
COMPILED = os.environ.get("KEYSTEAD_TEST_COMPILED") == "1"  # set by `make test-compiled`
CUSTODY = ("keystead.crypto.", "keystead.keyring.", "keystead.seal.")


def classes(name):
    tree = ast.parse((ROOT / "src" / f"{name.replace('.', '/')}.py").read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def test_the_list_is_sorted_and_names_each_module_once():
    assert sorted(set(MODULES)) == MODULES


@pytest.mark.parametrize("name", MODULES)
def test_no_compiled_module_defines_a_class_whose_options_would_be_lost(name):
    """mypyc passes no keyword to a metaclass: a struct would no longer be frozen, and its types be lost."""
    lossy = [
        found.name
        for found in classes(name)
        if found.keywords or any("Struct" in ast.unparse(base) for base in found.bases)
    ]
    assert lossy == []


def test_key_custody_stays_as_it_is_read():
    assert [name for name in MODULES if name.startswith(CUSTODY)] == []


@pytest.mark.parametrize("name", MODULES)
def test_this_run_is_of_compiled_modules_only_if_it_says_so(name):
    file = importlib.import_module(name).__file__
    assert file.endswith(".so" if COMPILED else ".py"), file
