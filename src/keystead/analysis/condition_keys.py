"""Condition keys as kinds of values: what a key can hold, and what ties it to the caller.

The twin of `policy.condition_keys`, whose table it reads. A key that is no row there may hold any text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from keystead.analysis import pattern
from keystead.analysis.pattern import Glob
from keystead.policy.actions import find
from keystead.policy.condition_keys import CONDITION_KEYS, FAMILIES, KeyFamily, KeyType, available
from keystead.policy.facts import Facts
from keystead.policy.pattern import tokens
from keystead.policy.request import Principal, PrincipalType, Value

CALLER_KEYS: Final = frozenset({
    "aws:principalarn", "aws:principalaccount", "kms:calleraccount", "aws:principaltype", "aws:username",
    "aws:principalisawsservice", "aws:principalservicename", "aws:principalservicenameslist",
})  # fmt: skip
"""Keys that who calls fully tells: they are no dimension of their own."""

CALLER_TYPES: Final[tuple[PrincipalType, ...]] = (
    "user", "assumedRole", "federatedUser", "root", "service", "webIdentity",
)  # fmt: skip

_ARN: Final = pattern.arn(tokens("arn:*:*:*:*:*"))


class Kind(msgspec.Struct, frozen=True):
    """What a key can hold; `type` None if that is not known.

    `single`: one value; `multi`: a list of them. `within` are the patterns of which a value is like one.
    """

    name: str
    type: KeyType | None
    single: bool
    multi: bool
    within: tuple[Glob, ...] = ()


def kind(key: str, operators: Iterable[str]) -> Kind:
    """The kind of a key (in lower case), which `operators` test.

    What nobody has a row for is what it is used as: a list if all operators are set operators.
    """
    row = CONDITION_KEYS.get(key)
    if row is not None:
        assert _ARN is not None
        return Kind(row.name, row.type, not row.multi, row.multi, (_ARN,) if row.type == "arn" else ())
    if family_of(key) is not None:
        return Kind(key, "string", single=True, multi=False)
    used = [operator for operator in operators if operator != "Null"]
    quantified = [operator for operator in used if ":" in operator]
    return Kind(key, None, single=len(quantified) < len(used) or not used, multi=bool(quantified))


def family_of(key: str) -> KeyFamily | None:
    """The family of which a key is a member."""
    return next((family for family in FAMILIES if key.startswith(family.prefix.lower())), None)


def of_caller(principal: Principal) -> dict[str, Value]:
    """The keys that the caller tells, with their values."""
    facts = _facts(principal)
    found = {key: row.value(facts) for key in CALLER_KEYS if (row := CONDITION_KEYS[key]).value is not None}
    return {key: value for key, value in found.items() if value is not None}


def _facts(principal: Principal, action: str = "", resource: str = "") -> Facts:
    return Facts(principal=principal, action=action, resource=resource, account="")


def absent_for(key: str) -> frozenset[PrincipalType]:
    """The types of callers with whom a key is always absent, by what the enforcing table makes of them."""
    if key in CALLER_KEYS:
        return frozenset()
    with_value = [kind for kind in CALLER_TYPES if _has(key, _PEOPLE[kind])]
    return frozenset(CALLER_TYPES) - set(with_value) if with_value else frozenset()


def _has(key: str, principal: Principal) -> bool:
    row, family = CONDITION_KEYS.get(key), family_of(key)
    if row is not None and row.value is not None and row.scope == "global":
        return row.value(_facts(principal)) is not None
    return family is not None and family.scope == "global" and bool(family.members(_facts(principal)))


_WHEN: Final = "2026-01-01T00:00:00Z"


def _somebody(kind: PrincipalType) -> Principal:
    """A caller of this type who has every attribute."""
    return Principal(
        type=kind, arn="arn:aws:iam::999999999999:user/a", account="999999999999", role_arn="a", issuer_arn="a",
        service="a", provider="a", user_id="a", unique_id="a", issuer_id="a", tags={"a": "a"}, org_id="a",
        org_path="a", mfa_present=True, mfa_age="1", token_issue_time=_WHEN, source_identity="a",
    )  # fmt: skip


_PEOPLE: Final = {kind: _somebody(kind) for kind in CALLER_TYPES}


_EXAMPLES: Final[dict[str, str]] = {
    "kms:viaservice": "s3.us-east-1.amazonaws.com",
    "aws:principalorgid": "o-anotherorg0",
    "aws:principalorgpaths": "o-anotherorg0/r-ab12/ou-ab12-11111111/",
    "aws:sourcearn": "arn:aws:s3:::another-bucket",
    "aws:sourceaccount": "999999999999",
    "aws:resourceaccount": "999999999999",
    "aws:requestedregion": "us-east-1",
    "aws:sourcevpc": "vpc-0123456789abcdef0",
    "aws:sourcevpce": "vpce-0123456789abcdef0",
    "aws:useragent": "aws-cli/2",
    "aws:userid": "AIDAANOTHERUSER00000",
}


def examples(key: str) -> tuple[str, ...]:
    """A likely value of a key, to show where it does as well as any other."""
    return (_EXAMPLES[key],) if key in _EXAMPLES else ()


def has_key(action: str, resource: str, key: str) -> bool:
    """Whether a check of a KMS action on such a resource can have the key; of other services all is possible."""
    if find(action) is None:
        return True
    row = CONDITION_KEYS.get(key) or family_of(key)
    return row is not None and available(_facts(_PEOPLE["user"], action, resource), row)
