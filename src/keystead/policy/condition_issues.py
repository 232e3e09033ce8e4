"""ValidatePolicy's issues of conditions: operators, keys, and values that do not fit each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from keystead.policy import condition, key_issues, scalars, value_issues
from keystead.policy.condition_keys import CONDITION_KEYS, FAMILIES
from keystead.policy.s3_keys import is_s3_key, s3_key
from keystead.policy.spans import Path

Found = Iterator[tuple[str, Path, str]]

_FAMILIES_OF_TYPE: Final[dict[str, tuple[str, ...]]] = {
    "string": ("String",),
    "arn": ("Arn", "String"),
    "bool": ("Bool", "String"),
    "number": ("Numeric", "String"),
    "date": ("Date", "Numeric", "String"),
    "ip": ("IpAddress", "NotIpAddress", "String"),
}
"""How the names of the operators begin that can compare values of each type of key."""
_READ: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "Numeric": ("TYPE_MISMATCH_NUMBER", scalars.number),
    "Date": ("TYPE_MISMATCH_DATE", scalars.date),
    "Bool": ("TYPE_MISMATCH_BOOLEAN", scalars.boolean),
    "IpAddress": ("TYPE_MISMATCH_IP_RANGE", scalars.network),
    "NotIpAddress": ("TYPE_MISMATCH_IP_RANGE", scalars.network),
}
"""By the beginning of an operator's name, what its values must be read as."""


def on_conditions(statement: Mapping[str, Any], path: Path, resource: str | None = None) -> Found:
    """The issues of a statement's conditions, in a policy of that type of resource, if it is known."""
    if "Condition" not in statement:
        return
    blocks, place = statement["Condition"], (*path, "Condition")
    if not isinstance(blocks, Mapping):
        yield "DATA_TYPE_MISMATCH", place, "Condition is a JSON object."
        return
    if not blocks:
        yield "EMPTY_OBJECT_CONDITION", place, "Condition holds nothing."
    for operator, keys in blocks.items():
        yield from _on_operator(operator, (*place, operator))
        if not isinstance(keys, Mapping):
            yield "DATA_TYPE_MISMATCH", (*place, operator), "An operator's keys are a JSON object."
            continue
        for key, values in keys.items():
            yield from _on_key(operator, key, (*place, operator, key))
            listed = values if isinstance(values, list) else [values]
            if not listed:
                yield (
                    "EMPTY_ARRAY_CONDITION",
                    (*place, operator, key),
                    "The condition has no value.",
                )
            yield from _on_values(operator, key, values, (*place, operator, key))
            yield from value_issues.on_values(operator, values, (*place, operator, key))
        yield from _twice(keys, (*place, operator))
    yield from key_issues.on_keys(statement, path, resource)


def _twice(keys: Mapping[str, Any], place: Path) -> Found:
    """Names of condition keys fold case."""
    seen: dict[str, str] = {}
    for key in keys:
        if key.lower() in seen:
            said = f"{key} is there as {seen[key.lower()]}, too: the names of condition keys fold case."
            yield "DUPLICATE_KEYS_WITH_DIFFERENT_CASE", (*place, key), said
        seen[key.lower()] = key


def _on_operator(operator: str, place: Path) -> Found:
    if operator == "NullIfExists":
        yield "NULL_WITH_IF_EXISTS", place, "Null takes no IfExists."
    elif operator.endswith(":Null"):
        yield "NULL_WITH_QUALIFIER", place, "Null takes no set operator."
    elif operator != "Null" and condition.split(operator) is None:
        yield "INVALID_CONDITION_OPERATOR", place, f"{operator} is no condition operator."


_OLD: Final = {"aws:arn": "aws:PrincipalArn"}
_TAGS: Final = frozenset({"aws:resourcetag", "aws:requesttag", "aws:principaltag"})


def _on_key(operator: str, key: str, place: Path) -> Found:
    if ":" not in key:
        yield "INVALID_CONDITION_KEY_FORMAT", place, f"{key} is not of the form service:key."
        return
    folded, service = key.lower(), key.partition(":")[0].lower()
    row = CONDITION_KEYS.get(folded) or s3_key(folded)
    known = (
        row is not None
        or is_s3_key(folded)
        or any(folded.startswith(family.prefix.lower()) for family in FAMILIES)
    )
    if folded in _OLD:
        yield "UNSUPPORTED_GLOBAL_CONDITION_KEY", place, f"{key} is an old name; use {_OLD[folded]}."
        return
    if folded.rstrip("/") in _TAGS:
        yield "MISSING_TAG_KEY_IN_CONDITION", place, f"Say which tag: {key.rstrip('/')}/TAG."
        return
    if not known and service in ("aws", "kms", "s3"):
        scope = "GLOBAL" if service == "aws" else "SERVICE"
        yield f"INVALID_{scope}_CONDITION_KEY", place, f"{key} is no condition key."
        return
    parts = condition.split(operator)
    if not known or parts is None:
        return
    quantifier, base, _ = parts
    multi = row is not None and row.multi
    if multi and not quantifier:
        yield (
            "MISSING_QUALIFIER",
            place,
            f"{key} has several values: use ForAnyValue or ForAllValues.",
        )
    if quantifier == "ForAllValues" and not multi:
        said = f"{key} has one value, and ForAllValues holds where it is absent."
        yield "FORALLVALUES_WITH_SINGLE_VALUED_KEY", place, said
    if row is not None and not base.startswith(_FAMILIES_OF_TYPE[row.type]):
        yield "TYPE_MISMATCH", place, f"{operator} does not compare what {key} holds: {row.type}."


def _on_values(operator: str, key: str, values: Any, place: Path) -> Found:
    parts = condition.split(operator)
    if parts is None:
        return
    base = parts[1]
    texts = [
        (at, str(value).lower() if isinstance(value, bool) else str(value))
        for at, value in value_issues.placed(values, place)
    ]
    for at, text in texts:
        if base in ("StringEquals", "StringNotEquals") and {"*", "?"} & set(_plain(text)):
            said = f"To {base}, wild cards are plain characters; did you mean StringLike?"
            yield "WILDCARD_WITHOUT_LIKE_OPERATOR", at, said
        for start, (code, read) in _READ.items():
            if base.startswith(start) and read(text) is None:
                yield code, at, f"{operator} cannot read a value of {key}."
    if key.lower() == "aws:sourceip" and base in ("IpAddress", "NotIpAddress"):
        yield from _on_networks(texts, place, base)


def _plain(text: str) -> str:
    """The text without the variables that stand for wild cards."""
    return text.replace("${*}", "").replace("${?}", "")


def _on_networks(texts: list[tuple[Path, str]], place: Path, base: str) -> Found:
    read = ((at, scalars.network(text)) for at, text in texts)
    networks = [(at, network) for at, network in read if network is not None]
    private = [at for at, network in networks if _is_private(network)]
    if networks and len(private) == len(networks):
        said = "aws:SourceIp is a public address: private ones never match."
        yield "PRIVATE_IP_ADDRESS" if base == "IpAddress" else "PRIVATE_NOT_IP_ADDRESS", place, said
        return
    for at in private:
        yield "PRIVATE_IP_ADDRESS_SUBSET", at, "A private address never matches."


_PRIVATE: Final = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918."""


def _is_private(network: scalars.Network) -> bool:
    return isinstance(network, ipaddress.IPv4Network) and any(network.subnet_of(one) for one in _PRIVATE)
