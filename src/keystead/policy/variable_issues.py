"""ValidatePolicy's issues of policy variables: `${key}` and `${key, 'default'}`.

Source: IAM User Guide, "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead.policy import condition, variables
from keystead.policy.spans import Path

Found = Iterator[tuple[str, Path, str]]

_OPENED: Final = re.compile(r"\$\{([^{}]*)(\}?)")
_WITHOUT: Final = ("Sid", "Effect", "Action", "NotAction", "Principal", "NotPrincipal")
_COMPARING: Final = ("String", "Arn")


def on_variables(statement: Mapping[str, Any], path: Path, version: Any) -> Found:
    """The issues of the variables of a statement."""
    for name in _WITHOUT:
        for place, text in _texts(statement.get(name), (*path, name)):
            if _OPENED.search(text):
                said = "Policy variables act in resources and conditions only."
                yield "VARIABLE_UNSUPPORTED_IN_ELEMENT", place, said
    for name in ("Resource", "NotResource"):
        for place, text in _texts(statement.get(name), (*path, name)):
            yield from _on_text(text, place, version)
    blocks = statement.get("Condition")
    for operator, keys in blocks.items() if isinstance(blocks, Mapping) else ():
        parts = condition.split(operator)
        for place, text in _texts(keys, (*path, "Condition", operator)):
            yield from _on_text(text, place, version)
            if parts is not None and not parts[1].startswith(_COMPARING) and _OPENED.search(text):
                said = f"{operator} takes no policy variables; string and ARN operators do."
                yield "INVALID_VARIABLE_FOR_OPERATOR", place, said


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text within a value, and where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _texts(one, (*path, index))
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(one, (*path, name))


def _on_text(text: str, place: Path, version: Any) -> Found:
    found = list(_OPENED.finditer(text))
    if found and version != variables.VERSION_WITH_VARIABLES:
        said = f"Policy variables are plain text before version {variables.VERSION_WITH_VARIABLES}."
        yield "VARIABLE_UNSUPPORTED_IN_VERSION", place, said
    for one in found:
        name, comma, default = one[1].partition(",")
        if not one[2]:
            yield "MISSING_BRACE_IN_VARIABLE", place, "Close the policy variable with a brace."
        elif not one[1].strip():
            yield "EMPTY_VARIABLE", place, "The policy variable names nothing."
        elif " " in name:
            yield "UNSUPPORTED_SPACE_IN_VARIABLE", place, "The name in a policy variable has no space."
        elif comma and not re.fullmatch(r" '[^']*'", default):
            yield (
                "MISSING_QUOTE_IN_VARIABLE",
                place,
                "Put the default of the variable between single quotes, after a comma and a space.",
            )
