"""The reference pages are what the generator writes, and nothing that can be looked up is missing in them."""

import importlib.util
import sys
from pathlib import Path

import msgspec
import pytest

from keystead.api.operation import Operation
from keystead.app import SERVICES
from keystead.cli.main import COMMANDS
from keystead.keys.spec import KEY_SPECS, UNSUPPORTED_SPECS
from keystead.policy.condition_keys import CONDITION_KEYS, FAMILIES
from keystead.settings import Settings

ROOT = Path(__file__).parent.parent.parent
REFERENCE = ROOT / "docs/reference"


@pytest.fixture(scope="module")
def generator():
    """tools/generate_docs.py, which is a script and no module of the package."""
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "tools/generate_docs.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def page(name):
    return (REFERENCE / name).read_text()


def test_the_committed_pages_are_what_the_generator_writes(generator, capsys):
    assert generator.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_page_is_found_and_mended(generator, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generator, "PAGES", tmp_path)
    assert generator.main(["--check"]) == 1
    assert "settings.md is stale" in capsys.readouterr().err
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0


def parts_of_operations():
    """The page of operations, by the title of each part."""
    return {part.split("\n")[0]: part for part in page("operations.md").split("\n## ")}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_operation_is_documented(generator, name):
    (title,) = [part.title for part in generator.SERVICES if part.service.name == name]
    text = parts_of_operations()[title]
    for operation in SERVICES[name].operations.values():
        assert f"| `{operation.name}` |" in text
        assert isinstance(operation, Operation)
        assert operation.perform.__doc__, f"{operation.name} does not say what it does"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_aws_has_and_the_server_has_not_is_told(generator, name):
    (title,) = [part.title for part in generator.SERVICES if part.service.name == name]
    head = parts_of_operations()[title].split("| Operation |")[0]
    for operation in SERVICES[name].model.operations:
        assert (f"`{operation}`" in head) == (operation not in SERVICES[name].operations)


def test_every_setting_is_documented():
    text = page("settings.md")
    for field in msgspec.structs.fields(Settings):
        assert f"| `{field.name}` |" in text


def test_every_command_is_documented():
    text = page("cli.md")
    for name in COMMANDS:
        assert f"\n## keystead {name}\n" in text


def test_every_condition_key_is_documented():
    text = page("condition-keys.md")
    for key in CONDITION_KEYS.values():
        assert f"| `{key.name}` |" in text
    for family in FAMILIES:
        assert f"| `{family.prefix}…` |" in text


def test_every_key_spec_is_documented():
    text = page("key-specs.md")
    for name in (*KEY_SPECS, *UNSUPPORTED_SPECS):
        assert f"| `{name}` |" in text


def test_every_page_is_in_the_contents():
    """Sphinx warns of it too; here it fails where no Sphinx is installed."""
    contents = "".join(index.read_text() for index in (ROOT / "docs").rglob("index.md"))
    for path in (ROOT / "docs").rglob("*.md"):
        if "_build" not in path.parts and path.name != "index.md" and path.parent.name != "adr":
            assert path.stem in contents, path
