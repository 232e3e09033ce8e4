"""Reading YAML as CloudFormation writes it: with its short forms of functions, and with the line of each mapping.

JSON is YAML, too, and big documents of it are read as JSON.
"""

from __future__ import annotations

import json
from typing import Any, Final

import yaml as pyyaml

LINE: Final = "\0line"
"""The name under which a mapping tells on which line it begins, from 1; no text of a template can be it."""
_BASE: Final[Any] = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)
_MOST: Final = 10_000_000
"""Characters; a template has at most a megabyte, a plan more."""


class _Loader(_BASE):  # type: ignore[misc] # which of the two there is, is known at run time
    """Takes short forms for what they stand for, and dates for texts."""


def _mapping(loader: Any, node: Any) -> dict[str, Any]:
    loader.flatten_mapping(node)
    found = {
        str(loader.construct_object(key, deep=True)): loader.construct_object(value, deep=True)
        for key, value in node.value
    }
    return {LINE: node.start_mark.line + 1, **found}


def _short(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    """`!GetAtt A.B` and its like, as the functions that they stand for."""
    if isinstance(node, pyyaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, pyyaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = _mapping(loader, node)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
_Loader.add_multi_constructor("!", _short)


def load(text: str) -> Any:
    """The document; mappings of YAML tell their lines.

    Raises:
        ValueError: it is neither YAML nor JSON, or too long.
    """
    if len(text) > _MOST:
        raise ValueError(f"it is longer than {_MOST} characters")
    brace = text.lstrip()[:1] == "{"
    try:
        if brace and '"planned_values"' in text:
            return json.loads(text)
        return pyyaml.load(text, Loader=_Loader)  # noqa: S506  a safe loader, with functions of templates
    except pyyaml.YAMLError as error:
        if brace:  # JSON may hold what YAML does not know, such as halves of a pair of surrogates
            return json.loads(text)
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise ValueError(f"it is no YAML{where}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def plain(value: Any) -> Any:
    """The value without the lines."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items() if name != LINE}
    return [plain(one) for one in value] if isinstance(value, list) else value
