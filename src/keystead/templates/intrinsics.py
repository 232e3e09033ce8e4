"""What the functions of a template make of it, as far as that is known before it is applied.

Source: AWS CloudFormation Template Reference, "Intrinsic functions", "Pseudo parameters", "Conditions".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from keystead.templates.declared import UNKNOWN, Unknown
from keystead.templates.yaml import LINE

_PLACE: Final = re.compile(r"\$\{(!?)([^}]*)\}")
_ARN_OF: Final[dict[str, tuple[str, str]]] = {
    "AWS::IAM::Role": ("role", "RoleName"),
    "AWS::IAM::User": ("user", "UserName"),
}
_DEEPEST: Final = 60


class Missing:
    """The value of AWS::NoValue: the property is not there."""


MISSING: Final = Missing()


class Scope:
    """A template's parameters, mappings, conditions and resources, in one account and Region."""

    def __init__(
        self, template: Mapping[str, Any], account: str, region: str, given: Mapping[str, str]
    ) -> None:
        self._resources, self._mappings, self._conditions = (
            _section(template, name) for name in ("Resources", "Mappings", "Conditions")
        )
        self._account = account
        self._values: dict[str, Any] = {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": MISSING,
        }
        for name, about in _section(template, "Parameters").items():
            if name != LINE:
                default = about.get("Default", UNKNOWN) if isinstance(about, Mapping) else UNKNOWN
                self._values[name] = given.get(name, default)

    def resolve(self, value: Any, depth: int = 0) -> Any:
        """The value with its functions replaced by what they give; UNKNOWN where that is not known."""
        if depth > _DEEPEST:
            return UNKNOWN
        if isinstance(value, list):
            held = [self.resolve(one, depth + 1) for one in value]
            return [one for one in held if one is not MISSING]
        return self._of_mapping(value, depth) if isinstance(value, Mapping) else value

    def _of_mapping(self, value: Mapping[str, Any], depth: int) -> Any:
        members = {name: one for name, one in value.items() if name != LINE}
        if len(members) == 1:
            ((name, argument),) = members.items()
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, argument, depth + 1)
            if name == "Condition" and isinstance(argument, str) and argument in self._conditions:
                return self.named(argument, depth + 1)
            if name.startswith("Fn::"):
                return UNKNOWN
        found = {name: self.resolve(one, depth + 1) for name, one in members.items()}
        return {name: one for name, one in found.items() if one is not MISSING}

    def ref(self, name: Any, _depth: int = 0) -> Any:
        """What Ref gives."""
        if not isinstance(name, str):
            return UNKNOWN
        return self._values.get(name, UNKNOWN)

    def attribute(self, argument: Any, depth: int) -> Any:
        """What GetAtt gives: the ARNs of roles and users are known, but for the name that is made up for them."""
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        resource, attribute = parts if isinstance(parts, list) and len(parts) == 2 else ("", "")  # noqa: PLR2004  both
        if not isinstance(resource, str) or attribute != "Arn":
            return UNKNOWN
        about = _section(self._resources, resource)
        if about.get("Type") not in ("AWS::IAM::Role", "AWS::IAM::User"):
            return UNKNOWN
        kind, member = _ARN_OF[about["Type"]]
        properties = _section(about, "Properties")
        named = self.resolve(properties.get(member, resource), depth)
        path = self.resolve(properties.get("Path", "/"), depth)
        if isinstance(named, Unknown) or isinstance(path, Unknown):
            return UNKNOWN
        return f"arn:aws:iam::{self._account}:{kind}{path}{named}"

    def substituted(self, argument: Any, depth: int) -> Any:
        """What Sub gives."""
        text, more = argument, {}
        if isinstance(argument, list) and len(argument) == 2:  # noqa: PLR2004  text and values
            text, more = argument[0], self.resolve(argument[1], depth)
        if not isinstance(text, str) or not isinstance(more, Mapping):
            return UNKNOWN
        unknown = False

        def put(found: re.Match[str]) -> str:
            nonlocal unknown
            if found[1]:
                return "${" + found[2] + "}"
            name = found[2].strip()
            value = more[name] if name in more else (
                self.attribute(name, depth) if "." in name else self.ref(name)
            )  # fmt: skip
            unknown = unknown or isinstance(value, Unknown | Missing)
            return str(value)

        made = _PLACE.sub(put, text)
        return UNKNOWN if unknown else made

    def joined(self, argument: Any, depth: int) -> Any:
        """What Join gives."""
        held = self.resolve(argument, depth)
        if not isinstance(held, list) or len(held) != 2 or not isinstance(held[1], list):  # noqa: PLR2004  mark, texts
            return UNKNOWN
        if any(isinstance(one, Unknown) for one in held[1]):
            return UNKNOWN
        return str(held[0]).join(str(one) for one in held[1])

    def selected(self, argument: Any, depth: int) -> Any:
        """What Select gives."""
        held = self.resolve(argument, depth)
        try:
            return held[1][int(held[0])] if isinstance(held[1], list) else UNKNOWN
        except (TypeError, ValueError, IndexError, KeyError):
            return UNKNOWN

    def split(self, argument: Any, depth: int) -> Any:
        """What Split gives."""
        held = self.resolve(argument, depth)
        if not isinstance(held, list) or len(held) != 2:  # noqa: PLR2004  mark, text
            return UNKNOWN
        mark, text = held
        return text.split(mark) if isinstance(mark, str) and isinstance(text, str) and mark else UNKNOWN

    def looked_up(self, argument: Any, depth: int) -> Any:
        """What FindInMap gives."""
        steps = self.resolve(argument, depth)
        held: Any = self._mappings
        for step in steps if isinstance(steps, list) else ():
            held = held.get(step) if isinstance(held, Mapping) and isinstance(step, str) else None
        return UNKNOWN if held is None else held

    # ------------------------------------------------------------------------ conditions

    def chosen(self, argument: Any, depth: int) -> Any:
        """What If gives."""
        if not isinstance(argument, list) or len(argument) != 3:  # noqa: PLR2004  condition, then, else
            return UNKNOWN
        holds = self.condition(argument[0], depth)
        if holds is None:
            return UNKNOWN
        return self.resolve(argument[1] if holds else argument[2], depth)

    def condition(self, name: Any, depth: int = 0) -> bool | None:
        """Whether a condition of the template holds; None if that is not known."""
        held = self._conditions.get(name) if isinstance(name, str) else None
        value = None if held is None else self.resolve(held, depth + 1)
        return value if isinstance(value, bool) else None

    def equal(self, argument: Any, depth: int) -> Any:
        """What Equals gives."""
        held = self.resolve(argument, depth)
        if not isinstance(held, list) or len(held) != 2 or any(isinstance(one, Unknown) for one in held):  # noqa: PLR2004  two sides
            return UNKNOWN
        return str(held[0]) == str(held[1])

    def every(self, argument: Any, depth: int) -> Any:
        """What And gives."""
        held = self._truths(argument, depth)
        if any(one is False for one in held):
            return False
        return True if held and all(one is True for one in held) else UNKNOWN

    def some(self, argument: Any, depth: int) -> Any:
        """What Or gives."""
        held = self._truths(argument, depth)
        if any(one is True for one in held):
            return True
        return False if held and all(one is False for one in held) else UNKNOWN

    def inverted(self, argument: Any, depth: int) -> Any:
        """What Not gives."""
        held = self._truths(argument, depth)
        return not held[0] if len(held) == 1 and isinstance(held[0], bool) else UNKNOWN

    def _truths(self, argument: Any, depth: int) -> list[Any]:
        held = self.resolve(argument, depth)
        return held if isinstance(held, list) else []

    def named(self, argument: Any, depth: int) -> Any:
        """What a condition's name stands for in another condition."""
        held = self.condition(argument, depth)
        return UNKNOWN if held is None else held


_FUNCTIONS: Final[dict[str, Callable[[Scope, Any, int], Any]]] = {
    "Ref": Scope.ref,
    "Fn::GetAtt": Scope.attribute,
    "Fn::Sub": Scope.substituted,
    "Fn::Join": Scope.joined,
    "Fn::Select": Scope.selected,
    "Fn::Split": Scope.split,
    "Fn::FindInMap": Scope.looked_up,
    "Fn::If": Scope.chosen,
    "Fn::Equals": Scope.equal,
    "Fn::And": Scope.every,
    "Fn::Or": Scope.some,
    "Fn::Not": Scope.inverted,
}
"""A mapping with one of these names and no other is a function. `Condition` is one within conditions only."""


def _section(held: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is a mapping; an empty one where it is none."""
    found = held.get(name)
    return found if isinstance(found, Mapping) else {}


def has_unknown(value: Any) -> bool:
    """Whether something in a value is not known."""
    if isinstance(value, Mapping):
        return any(has_unknown(one) for one in value.values())
    if isinstance(value, list):
        return any(map(has_unknown, value))
    return isinstance(value, Unknown)
