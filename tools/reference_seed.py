"""What the reference page of seed files says, from the structs that read them and the example that a test reads.

`generate_docs.py` writes the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

from msgspec import NODEFAULT, UNSET, Struct, inspect

from keystead.seed import file, identities
from reference_pages import table

EXAMPLE: Final = Path(__file__).resolve().parent.parent / "examples" / "seed" / "seed.yaml"

TITLES: Final[dict[type[Struct], str]] = {
    file.Seed: "File",
    file.SeedAccount: "Account",
    identities.AccessKey: "Access key",
    identities.SeedPolicy: "Managed policy",
    identities.SeedGroup: "Group",
    identities.SeedUser: "User",
    identities.SeedRole: "Role",
    file.SeedKey: "Key",
    file.SeedOrganization: "Organization",
    file.SeedUnit: "Unit",
    file.SeedMember: "Member account",
    file.SeedOrgPolicy: "Policy of a node",
}
"""The structs, in the order of the page."""

_PLAIN: Final[dict[type[inspect.Type], str]] = {
    inspect.StrType: "text",
    inspect.IntType: "whole number",
    inspect.BoolType: "true or false",
    inspect.BytesType: "base64",
}


def kind(found: inspect.Type) -> str:
    """What a member takes, in words."""
    match found:
        case inspect.StructType(cls=of):
            title = TITLES[of]
            return f"[{title.lower()}](#{title.lower().replace(' ', '-')})"
        case inspect.ListType(item_type=item):
            return f"list: {kind(item)}"
        case inspect.DictType(value_type=value):
            return f"names, each with: {kind(value)}"
        case inspect.LiteralType(values=values):
            return ", ".join(f"`{value}`" for value in values)
        case inspect.UnionType(types=types):
            return _either(types)
        case _:
            return _PLAIN[type(found)]


def _either(types: tuple[inspect.Type, ...]) -> str:
    if any(isinstance(each, inspect.DictType) for each in types):
        return "policy, as YAML or as its text"
    return " or ".join(kind(each) for each in types if not isinstance(each, inspect.NoneType))


def default(field: inspect.Field) -> str:
    """What an absent member stands for; nothing where it must be there."""
    if field.required:
        return "must be given"
    value: Any = field.default if field.default is not NODEFAULT else field.default_factory()
    if value is UNSET or value is None or value in ("", [], {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def rows(struct: type[Struct]) -> Iterator[list[str]]:
    """A row for each member of a struct."""
    about = inspect.type_info(struct)
    assert isinstance(about, inspect.StructType)
    for field in about.fields:
        yield [f"`{field.encode_name}`", kind(field.type), default(field)]


def section(struct: type[Struct], title: str) -> str:
    """What the page says of a struct."""
    about = cleandoc(struct.__doc__ or "")
    return f"## {title}\n\n{about}\n\n{table(('Member', 'Value', 'Default'), rows(struct))}"


def seed_page() -> str:
    """The page of seed files."""
    example = f"{HEAD}\n\n```yaml\n{EXAMPLE.read_text().rstrip()}\n```"
    return "\n\n".join([example, *(section(struct, title) for struct, title in TITLES.items())])


HEAD: Final = """# Seed files

`keystead dev --seed FILE` makes what a YAML file names before it takes requests: accounts with their credentials, people,
roles and keys, and an organization. It can be given at each start: what is there already, by its name or id, stays as it is, and only
access keys that are new are added. Ids of accounts want quotation marks, lest YAML take them for numbers. What the file
holds that is not on this page is refused.

`examples/seed/seed.yaml`:"""
