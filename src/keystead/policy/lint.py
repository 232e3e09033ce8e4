"""What may be stored as a key policy, checked when it is written.

Sources: API reference, PutKeyPolicy; KMS Developer Guide, "Key policies in AWS KMS"; IAM User Guide, "Grammar
of the IAM JSON policy language". Whether the principals exist is for those to say who know the accounts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from keystead.errors import LimitExceeded, MalformedPolicyDocument
from keystead.policy import condition, variables
from keystead.policy.document import DEFAULT_VERSION, EVERYONE, decode
from keystead.policy.kinds import validate_policy
from keystead.policy.principal import account_of

__all__ = ["INVALID_PRINCIPALS", "LOCKOUT", "LONGEST", "validate_key_policy", "validate_policy"]

LONGEST: Final = 32768
"""Bytes of a key policy (KMS Developer Guide, "Resource quotas")."""

INVALID_PRINCIPALS: Final = "Policy contains a statement with one or more invalid principals."
LOCKOUT: Final = "The new key policy will not allow you to update the key policy in the future."

_CHARACTERS: Final = re.compile(r"[\t\n\r\u0020-\u00ff]*")
_SID: Final = re.compile(r"[\u0020-\u007e\u00a0-\u00ff]*")
_TOP: Final = frozenset({"Version", "Id", "Statement"})
_VERSIONS: Final = frozenset({variables.VERSION_WITH_VARIABLES, DEFAULT_VERSION})
_STATEMENT: Final = frozenset({
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
})  # fmt: skip
_PAIRS: Final = (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource"))

_ACTION: Final = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?_-]+", re.ASCII)
_RESOURCE: Final = re.compile(r"\*|[^:]+(?::[^:]*){4}:.+", re.DOTALL)
_AWS_PRINCIPAL: Final = re.compile(
    r"arn:[a-z-]+:(?:iam::[0-9]{12}:(?:user|role)/[\x21-\x7e]+"
    r"|sts::[0-9]{12}:(?:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+))",
    re.ASCII,
)
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.ASCII)
_PRINCIPAL_KINDS: Final = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_SINGLE_VALUED: Final = ("kms:encryptioncontext:", "aws:requesttag/")


def validate_key_policy(text: str) -> None:
    """Nothing, if the text may be stored as a key policy.

    A statement that lacks Action or Resource may, though it has no effect.

    Raises:
        LimitExceeded: it is longer than 32,768 bytes.
        MalformedPolicyDocument: it is not a key policy; the message names the first fault.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise LimitExceeded(f"The key policy is longer than {LONGEST} bytes.")
    if not _CHARACTERS.fullmatch(text):
        raise MalformedPolicyDocument("The policy holds characters that are not allowed.")
    try:
        policy = decode(text, unique=True)
    except ValueError:
        raise MalformedPolicyDocument("The policy is not valid JSON.") from None
    if not isinstance(policy, Mapping):
        raise MalformedPolicyDocument("The policy is not a JSON object.")
    _check_members(policy, _TOP)
    _demand(
        "Version" not in policy or _one_of(policy["Version"], _VERSIONS), "The policy's Version is unknown."
    )
    _demand(type(policy.get("Id", "")) is str, "The policy's Id is not a string.")
    for statement in _statements(policy.get("Statement")):
        _check_statement(statement)


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise MalformedPolicyDocument(message)


def _one_of(value: Any, choices: frozenset[str]) -> bool:
    return isinstance(value, str) and value in choices


def _check_members(members: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = next((name for name in members if name not in known), None)
    _demand(unknown is None, f"Syntax errors in policy: unknown element {unknown}.")


def _statements(element: Any) -> Sequence[Mapping[str, Any]]:
    statements = element if isinstance(element, list) else [element]
    _demand(element is not None and len(statements) > 0, "The policy has no statement.")
    _demand(all(isinstance(item, Mapping) for item in statements), "A statement is not a JSON object.")
    return statements


def _check_statement(statement: Mapping[str, Any]) -> None:
    _check_members(statement, _STATEMENT)
    for one, other in _PAIRS:
        _demand(not (one in statement and other in statement), f"A statement has both {one} and {other}.")
    _demand(_one_of(statement.get("Effect"), _EFFECTS), "A statement's Effect must be Allow or Deny.")
    sid = statement.get("Sid", "")
    _demand(type(sid) is str and _SID.fullmatch(sid) is not None, "A statement's Sid is not valid.")
    _check_principal(statement)
    for elements, valid, message in _LISTS:
        for element in elements:
            if element in statement:
                _demand(all(valid(entry) for entry in _texts(statement[element])), message)
    _check_conditions(statement.get("Condition", {}))


_EFFECTS: Final = frozenset({"Allow", "Deny"})
_Valid = Callable[[str], bool]
_LISTS: Final[tuple[tuple[tuple[str, str], _Valid, str], ...]] = (
    (("Action", "NotAction"), lambda entry: _ACTION.fullmatch(entry) is not None,
     "Policy statement contains invalid actions."),
    (("Resource", "NotResource"), lambda entry: _RESOURCE.fullmatch(entry) is not None,
     "Policy statement contains invalid resources."),
)  # fmt: skip


def _texts(element: Any) -> Sequence[str]:
    entries = element if isinstance(element, list) else [element]
    _demand(all(type(entry) is str for entry in entries), "Syntax errors in policy: a string is expected.")
    return entries


# -------------------------------------------------------------------------- principals


def _check_principal(statement: Mapping[str, Any]) -> None:
    element = statement.get("Principal", statement.get("NotPrincipal"))
    _demand(element is not None, "A statement has no Principal.")
    if element == EVERYONE:
        return
    if not isinstance(element, Mapping) or not element or not set(element) <= _PRINCIPAL_KINDS:
        raise MalformedPolicyDocument(INVALID_PRINCIPALS)
    for kind, entries in element.items():
        names = _texts(entries)
        if not names or not all(_PRINCIPALS[kind](entry) for entry in names):
            raise MalformedPolicyDocument(INVALID_PRINCIPALS)


def _is_aws_principal(entry: str) -> bool:
    """Everyone, an account, or one user, role or session: no group and no partial wild card."""
    named = _AWS_PRINCIPAL.fullmatch(entry) is not None and "*" not in entry and "?" not in entry
    return entry == EVERYONE or account_of(entry) is not None or named


_PRINCIPALS: Final[dict[str, _Valid]] = {
    "AWS": _is_aws_principal,
    "Service": lambda entry: _SERVICE.fullmatch(entry) is not None,
    "Federated": bool,
    "CanonicalUser": bool,
}


# -------------------------------------------------------------------------- conditions


def _check_conditions(element: Any) -> None:
    _demand(isinstance(element, Mapping), "Syntax errors in policy: Condition is not an object.")
    for operator, keys in element.items():
        known = operator == "Null" or condition.split(operator) is not None
        _demand(known, f"Invalid Condition type : {operator}.")
        _demand(isinstance(keys, Mapping), "Syntax errors in policy: a condition is not an object.")
        for key, values in keys.items():
            _demand(":" in key, f"Invalid condition key: {key}.")
            _check_quantifier(operator, key)
            _check_values(values)


def _check_quantifier(operator: str, key: str) -> None:
    """A caller who sends no such key at all would pass: KMS refuses that trap."""
    if operator.startswith("ForAllValues:") and key.lower().startswith(_SINGLE_VALUED):
        raise MalformedPolicyDocument(
            "OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key "
            f"matches requests without the specified key: {key}."
        )


def _check_values(values: Any) -> None:
    items = values if isinstance(values, list) else [values]
    _demand(
        all(isinstance(item, str | bool) for item in items),  # numbers are read as their text
        "Syntax errors in policy: a condition value is not a string, number, true or false.",
    )
