"""What may be stored as a policy of each kind, checked when it is written.

Sources: IAM User Guide, "Grammar of the IAM JSON policy language", "IAM and AWS STS quotas"; AWS Organizations
User Guide, "SCP syntax", "RCP syntax". The messages are those that AWS IAM gives. How long all inline policies of
an identity may be together is for those to say who keep them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from keystead.errors import LimitExceeded, MalformedPolicyDocument
from keystead.policy import condition, variables
from keystead.policy.document import DEFAULT_VERSION, EVERYONE, decode

PolicyKind = Literal["identity", "trust", "session", "scp", "rcp"]
"""`identity` is also a managed policy and a permissions boundary."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of policy takes.

    Attributes:
        principal: whether statements name principals; None where they must not.
        resource: whether statements name resources; None where they must not.
        actions: a pattern that every action must match besides the general form.
        size: the most characters, white space not counted; 0 if another room counts.
        only: the only Effect and Principal that it takes, if there is one.
    """

    principal: bool = False
    resource: bool = True
    actions: re.Pattern[str] = re.compile(r".*", re.DOTALL)
    refusal: str = ""
    size: int = 0
    only: tuple[str, str] | None = None


_STS: Final = re.compile(
    r"sts:(?:AssumeRole\w*|TagSession|SetSourceIdentity|SetContext|[A-Za-z*?]*\*)", re.IGNORECASE
)

KINDS: Final[Mapping[PolicyKind, Kind]] = {
    "identity": Kind(),
    "trust": Kind(
        principal=True,
        resource=False,
        actions=_STS,
        refusal="AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    "session": Kind(size=2048),
    "scp": Kind(size=5120),
    "rcp": Kind(principal=True, size=5120, only=("Deny", EVERYONE)),
}

_SYNTAX: Final = "Syntax errors in policy."
_CHARACTERS: Final = re.compile(r"[\t\n\r\u0020-\u00ff]*")
_SID: Final = re.compile(r"[0-9A-Za-z]*", re.ASCII)
_VENDOR: Final = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9*?_-]+", re.ASCII)
_TOP: Final = frozenset({"Version", "Id", "Statement"})
_VERSIONS: Final = frozenset({variables.VERSION_WITH_VARIABLES, DEFAULT_VERSION})
_STATEMENT: Final = frozenset({
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
})  # fmt: skip
_ARN_PARTS: Final = 6
_PARTITIONS: Final = re.compile(r"arn:(?:aws|aws-cn|aws-us-gov|\*)", re.ASCII)


def validate_policy(text: str, kind: PolicyKind) -> None:
    """Nothing, if the text may be stored as a policy of that kind.

    Raises:
        LimitExceeded: it is longer than the kind's size.
        MalformedPolicyDocument: it is no such policy; the message names the first fault.
    """
    rules = KINDS[kind]
    if rules.size and len("".join(text.split())) > rules.size:
        raise LimitExceeded(f"Cannot exceed quota for PolicySize: {rules.size}")
    _demand(_CHARACTERS.fullmatch(text) is not None, _SYNTAX)
    try:
        policy = decode(text, unique=True)
    except ValueError:
        raise MalformedPolicyDocument(_SYNTAX) from None
    _demand(isinstance(policy, Mapping) and set(policy) <= _TOP, _SYNTAX)
    version = policy.get("Version", DEFAULT_VERSION)
    _demand(type(version) is str and version in _VERSIONS, _SYNTAX)
    _demand(type(policy.get("Id", "")) is str, _SYNTAX)
    statements = _statements(policy.get("Statement"))
    for statement in statements:
        _check_statement(statement, rules)
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    _demand(len(set(sids)) == len(sids), "Statement IDs (SID) in a single policy must be unique.")


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise MalformedPolicyDocument(message)


def _statements(element: Any) -> Sequence[Mapping[str, Any]]:
    statements = element if isinstance(element, list) else [element]
    _demand(len(statements) > 0 and all(isinstance(item, Mapping) for item in statements), _SYNTAX)
    return statements


def _check_statement(statement: Mapping[str, Any], rules: Kind) -> None:
    _demand(set(statement) <= _STATEMENT, _SYNTAX)
    effect, sid = statement.get("Effect"), statement.get("Sid", "")
    _demand(effect in ("Allow", "Deny"), _SYNTAX)
    _demand(
        type(sid) is str and _SID.fullmatch(sid) is not None,
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
        "[0-9A-Za-z]*",
    )
    _check_actions(statement, rules)
    _check_resources(statement, rules)
    _check_principals(statement, rules)
    _check_conditions(statement.get("Condition", {}))
    if rules.only is not None:
        named = statement.get("Principal")
        named = named.get("AWS") if isinstance(named, Mapping) else named
        _demand((effect, named) == rules.only, "The policy may only deny, and to every principal.")


def _one_of(statement: Mapping[str, Any], one: str, other: str) -> list[str] | None:
    """The texts of an element or of its opposite; None if neither is there."""
    _demand(not (one in statement and other in statement), _SYNTAX)
    element = statement.get(one, statement.get(other))
    if element is None:
        return None
    entries = element if isinstance(element, list) else [element]
    _demand(all(type(entry) is str for entry in entries), _SYNTAX)
    return [str(entry) for entry in entries]


def _check_actions(statement: Mapping[str, Any], rules: Kind) -> None:
    actions = _one_of(statement, "Action", "NotAction")
    _demand(bool(actions), "Policy statement must contain actions.")
    for action in actions or ():
        if action == EVERYONE and not rules.refusal:
            continue
        vendor, colon, name = action.partition(":")
        _demand(bool(colon), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        _demand(_VENDOR.fullmatch(vendor) is not None, f"Vendor {vendor} is not valid")
        _demand(":" not in name, "Actions/Condition can contain only one colon.")
        _demand(_NAME.fullmatch(name) is not None, _SYNTAX)
        _demand(rules.actions.fullmatch(action) is not None, rules.refusal)


def _check_resources(statement: Mapping[str, Any], rules: Kind) -> None:
    resources = _one_of(statement, "Resource", "NotResource")
    if not rules.resource:
        _demand(resources is None, "Has prohibited field Resource")
        return
    _demand(bool(resources), "Policy statement must contain resources.")
    for resource in resources or ():
        if resource == EVERYONE:
            continue
        parts = resource.split(":", _ARN_PARTS - 1)
        _demand(
            parts[0] == "arn" and len(parts) == _ARN_PARTS,
            f'Resource {resource} must be in ARN format or "*".',
        )
        _demand(
            _PARTITIONS.fullmatch(":".join(parts[:2])) is not None,
            f'Partition "{parts[1]}" is not valid for resource "{resource}".',
        )


def _check_principals(statement: Mapping[str, Any], rules: Kind) -> None:
    named = "Principal" in statement or "NotPrincipal" in statement
    if not rules.principal:
        _demand(not named, "Policy document should not specify a principal.")
        return
    _demand(named and not ("Principal" in statement and "NotPrincipal" in statement), _SYNTAX)
    element = statement.get("Principal", statement.get("NotPrincipal"))
    if element == EVERYONE:
        return
    _demand(
        isinstance(element, Mapping) and bool(element), f"Invalid principal in policy: {_quoted(element)}"
    )
    assert isinstance(element, Mapping)
    for kind, entries in element.items():
        texts = entries if isinstance(entries, list) else [entries]
        known = kind in ("AWS", "Service", "Federated", "CanonicalUser")
        _demand(
            known and bool(texts) and all(type(text) is str and text for text in texts),
            f"Invalid principal in policy: {_quoted(kind)}:{_quoted(texts[0] if texts else '')}",
        )


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else '""'


def _check_conditions(element: Any) -> None:
    _demand(isinstance(element, Mapping), _SYNTAX)
    for operator, keys in element.items():
        known = operator == "Null" or condition.split(operator) is not None
        _demand(known, f"Invalid Condition type : {operator}.")
        _demand(isinstance(keys, Mapping), _SYNTAX)
        for key, values in keys.items():
            _demand(":" in key, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
            items = values if isinstance(values, list) else [values]
            _demand(all(isinstance(item, str | bool) for item in items), _SYNTAX)
