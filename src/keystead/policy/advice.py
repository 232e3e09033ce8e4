"""What a key policy that may be stored will not do as its author meant, by the tables that decide requests.

`lint` says what PutKeyPolicy refuses. It accepts much that never applies: a condition key that is misspelt, an
operator of another type, an action that does not exist. Source: IAM User Guide, "IAM JSON policy elements:
Condition operators" and "Set operators for multivalued context keys"; KMS Developer Guide, "Condition keys".
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from keystead.policy import condition, pattern, variables
from keystead.policy.actions import ACTIONS
from keystead.policy.condition_keys import CONDITION_KEYS, FAMILIES, ConditionKey, KeyFamily, actions_of
from keystead.policy.document import EVERYONE, Condition, Statement, parse
from keystead.policy.s3_keys import is_s3_key

_FAMILIES_OF_TYPE: Final[dict[str, tuple[str, ...]]] = {
    "string": ("String",),
    "arn": ("Arn", "String"),
    "bool": ("Bool",),
    "number": ("Numeric",),
    "date": ("Date",),
    "ip": ("IpAddress", "NotIpAddress"),
}
"""How the names of the operators begin that compare values of each type."""
_EXAMPLES: Final = {
    "string": "StringEquals", "arn": "ArnLike", "bool": "Bool", "number": "NumericLessThanEquals",
    "date": "DateLessThan", "ip": "IpAddress",
}  # fmt: skip
_ALSO: Final = {
    "aws:epochtime": ("Numeric",),
    "kms:granteeprincipal": ("Arn",),
    "kms:retiringprincipal": ("Arn",),
}
"""Keys whose values read as those of a second type too."""
_ALIKE: Final = 0.75
"""From which likeness on a name may be a misspelling: all begin alike, with their service."""
_WHOLE_CATALOGUE: Final = "an action of the Service Authorization Reference for AWS KMS"


class Finding(msgspec.Struct, frozen=True):
    """One thing that does not do what it seems to: where, why, and what to write instead."""

    statement: int
    sid: str | None
    path: str
    problem: str
    instead: str


def advise(text: str) -> tuple[Finding, ...]:
    """Every finding on a key policy that `validate_key_policy` lets through, in the document's order.

    Raises:
        errors.MalformedPolicyDocument: the text is no policy.
    """
    return tuple(
        Finding(number, statement.sid, f"Statement[{number}].{path}", problem, instead)
        for number, statement in enumerate(parse(text, action_required=False).statements)
        for path, problem, instead in _on_statement(statement)
    )


_Found = Iterator[tuple[str, str, str]]


def _on_statement(statement: Statement) -> _Found:
    yield from _missing(statement)
    for element, actions in (("Action", statement.actions), ("NotAction", statement.not_actions)):
        for action in actions or ():
            yield from _on_action(element, action)
    for element, resources in (("Resource", statement.resources), ("NotResource", statement.not_resources)):
        for resource in resources or ():
            if resource != EVERYONE:
                yield element, f'"{resource}" is not "*"; a key policy is about its own key only', '"*"'
    asked = _asked(statement)
    for item in statement.conditions:
        path = f"Condition.{item.operator}.{item.key}"
        yield from ((path, problem, instead) for problem, instead in _on_condition(item, asked))


def _missing(statement: Statement) -> _Found:
    for element, given, instead in (
        ("Action", statement.actions or statement.not_actions, '"Action": "kms:…"'),
        ("Resource", statement.resources or statement.not_resources, '"Resource": "*"'),
    ):
        if not given:
            yield element, f"without {element} the statement has no effect", instead


# ----------------------------------------------------------------------------- actions


def _named(entry: str) -> frozenset[str]:
    """The KMS actions that an entry of Action or NotAction stands for."""
    matches = pattern.matcher(variables.plain(entry.lower(), wild=True))
    return frozenset(name for name in ACTIONS if entry == EVERYONE or matches(name.lower()))


def _asked(statement: Statement) -> frozenset[str]:
    """The KMS actions that the statement is about."""
    if statement.not_actions is not None:
        return frozenset(ACTIONS).difference(*map(_named, statement.not_actions))
    return frozenset().union(*map(_named, statement.actions or ()))


def _on_action(element: str, entry: str) -> _Found:
    named = _named(entry)
    if not named:
        yield element, f"{entry} is no action of AWS KMS", _nearest_action(entry)
    elif not any("key" in ACTIONS[name].targets for name in named):
        yield (
            element,
            f"{entry} is asked of no key, so no key policy can allow or deny it",
            "an identity policy",
        )


def _nearest_action(entry: str) -> str:
    if _named(entry + "*"):
        return f"{entry}*"
    return _nearest(entry, ACTIONS) or _WHOLE_CATALOGUE


# -------------------------------------------------------------------------- conditions


def _on_condition(item: Condition, asked: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with one key of one operator block, and what to write instead."""
    row = _row(item.key)
    if row is None and is_s3_key(item.key):
        yield f"{item.key} means nothing in a key policy", f"{item.key} in a bucket policy"
        return
    if row is None:
        names = [*(known.name for known in CONDITION_KEYS.values()), *(family.prefix for family in FAMILIES)]
        yield f"{item.key} is no condition key", _nearest(item.key, names) or "a key that KMS supports"
        return
    if isinstance(row, ConditionKey) and not row.in_key_policies:
        yield f"{row.name} means nothing in a key policy", f"{row.name} in an identity policy"
    elif asked and not asked & actions_of(row):
        yield f"no action of the statement has {item.key}", _of_use(row)
    parts = condition.split(item.operator)
    if parts is not None:
        quantifier, operator, if_exists = parts
        suffix = "IfExists" if if_exists else ""
        yield from _on_type(row, item.key, operator)
        yield from _on_quantifier(row, item.key, quantifier, operator + suffix)


def _row(key: str) -> ConditionKey | KeyFamily | None:
    folded = key.lower()
    named = (family for family in FAMILIES if folded.startswith(family.prefix.lower()))
    return CONDITION_KEYS.get(folded) or next(
        (family for family in named if len(key) > len(family.prefix)), None
    )


def _of_use(row: ConditionKey | KeyFamily) -> str:
    actions = sorted(actions_of(row))
    return f"it with {', '.join(actions[:4])}{', …' if len(actions) > 4 else ''}"  # noqa: PLR2004 - a line holds four


def _on_type(row: ConditionKey | KeyFamily, key: str, operator: str) -> Iterator[tuple[str, str]]:
    # The caller chooses what these hold: an ARN, in the contexts that AWS services send.
    kind = row.type if isinstance(row, ConditionKey) else "arn"
    fitting = (*_FAMILIES_OF_TYPE[kind], *_ALSO.get(key.lower(), ()))
    if not operator.startswith(fitting):
        yield f"{operator} does not compare what {key} holds: {kind}", _EXAMPLES[kind]


def _on_quantifier(
    row: ConditionKey | KeyFamily, key: str, quantifier: str, operator: str
) -> Iterator[tuple[str, str]]:
    multi = isinstance(row, ConditionKey) and row.multi
    if multi and not quantifier:
        instead = f"ForAnyValue:{operator} or ForAllValues:{operator}"
        yield f"{key} has several values, which {operator} never matches", instead
    if quantifier and not multi:
        yield f"{key} has one value; {quantifier} is for keys with several", operator


def _nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like this one, empty if none is like it."""
    folded = {each.lower(): each for each in known}
    return next((folded[near] for near in difflib.get_close_matches(name.lower(), folded, 1, _ALIKE)), "")
