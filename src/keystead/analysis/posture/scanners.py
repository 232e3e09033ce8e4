"""What scanners that look at the form of policies and settings will say of a key; nothing here is a proof.

Observed with Prowler 5.46 and Checkov 3.3; of AWS Security Hub and AWS Config what their documentation says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from keystead.analysis.advisor.facts import KeyFacts
from keystead.policy.document import decode

Said = Literal["PASS", "FAIL", ""]
"""What a scanner says; nothing where it does not look."""

_OF_A_CALLER: Final = frozenset({
    "aws:sourceaccount", "aws:sourceowner", "aws:sourcearn", "aws:principalaccount", "aws:principalarn",
    "aws:principalorgid", "aws:principalorgpaths", "aws:resourceaccount", "aws:sourcevpc", "aws:sourcevpce",
    "aws:sourceorgid", "aws:sourceorgpaths", "aws:userid", "aws:username", "aws:calledvia", "aws:calledviafirst",
    "aws:calledvialast", "kms:calleraccount", "kms:viaservice",
})  # fmt: skip
"""Keys that Prowler takes for a restriction, whatever their values are."""
_OPERATORS: Final = frozenset({"StringEquals", "StringLike", "ArnLike", "ArnEquals"})
_ANYBODY: Final = frozenset({"*", "arn:aws:iam::*:root"})


def statements(policy: str) -> list[Mapping[str, Any]]:
    """The statements of a policy as they are written."""
    try:
        document = decode(policy)
    except ValueError:
        return []
    held = document.get("Statement", []) if isinstance(document, Mapping) else []
    listed = held if isinstance(held, list) else [held]
    return [one for one in listed if isinstance(one, Mapping)]


def _for_anybody(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal", "")
    named = principal.get("AWS", "") if isinstance(principal, Mapping) else principal
    entries = named if isinstance(named, list) else [named]
    return statement.get("Effect") == "Allow" and bool(_ANYBODY & {str(entry) for entry in entries})


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Operator, key in lower case and values."""
    blocks = statement.get("Condition") or {}
    for operator, keys in blocks.items() if isinstance(blocks, Mapping) else ():
        for key, values in keys.items() if isinstance(keys, Mapping) else ():
            yield (
                operator,
                key.lower(),
                [str(one) for one in (values if isinstance(values, list) else [values])],
            )


def prowler_public(key: KeyFacts) -> Said:
    """Prowler: anybody is named, and no condition has one of some keys."""
    if key.default or key.state != "Enabled":
        return ""
    open_ones = [
        one for one in statements(key.policy)
        if _for_anybody(one)
        and not any(op in _OPERATORS and name in _OF_A_CALLER for op, name, _ in _conditions(one))
    ]  # fmt: skip
    return "FAIL" if open_ones else "PASS"


def checkov_wildcard(key: KeyFacts) -> Said:
    """Checkov, on Terraform: anybody is named, and there is no condition at all."""
    named = (one for one in statements(key.policy) if _for_anybody(one) and "Condition" not in one)
    return "FAIL" if any(True for _ in named) else "PASS"


def hub_public(key: KeyFacts) -> Said:
    """Security Hub: anybody is named, and no condition has a value without wild cards and variables."""
    if key.default:
        return ""
    for one in statements(key.policy):
        fixed = any(not set(value) & {"*", "?", "$"} for _, _, values in _conditions(one) for value in values)
        if _for_anybody(one) and not fixed:
            return "FAIL"
    return "PASS"


def prowler_rotation(key: KeyFacts) -> Said:
    """Prowler asks it of imported material, too, which cannot be rotated by itself."""
    if key.default or key.state != "Enabled" or "SYMMETRIC" not in key.spec or key.rotation is None:
        return ""
    return "PASS" if key.rotation.enabled else "FAIL"


def checkov_rotation(key: KeyFacts) -> Said:
    """Checkov asks it of HMAC keys, too."""
    if not key.spec.startswith(("SYMMETRIC", "HMAC")) or key.rotation is None:
        return ""
    return "PASS" if key.rotation.enabled else "FAIL"


def config_rotation(key: KeyFacts) -> Said:
    """AWS Config's rule leaves out what cannot be rotated."""
    if key.default or not key.rotatable or key.state != "Enabled" or key.rotation is None:
        return ""
    return "PASS" if key.rotation.enabled else "FAIL"


def by_state(key: KeyFacts) -> Said:
    """A pending deletion, whoever used the key or not."""
    if key.default:
        return ""
    return "FAIL" if key.state == "PendingDeletion" else "PASS"


def prowler_used(key: KeyFacts) -> Said:
    """Prowler takes an enabled key for one in use."""
    if key.default:
        return ""
    return "PASS" if key.state in ("Enabled", "PendingDeletion") else "FAIL"


def checkov_enabled(key: KeyFacts) -> Said:
    """Checkov: `is_enabled`."""
    return "FAIL" if key.state == "Disabled" else "PASS"


def prowler_region(key: KeyFacts) -> Said:
    """Prowler: a multi-Region key is a finding."""
    if key.default or key.state != "Enabled":
        return ""
    return "FAIL" if key.multi_region else "PASS"


def checkov_policy(key: KeyFacts) -> Said:
    """Checkov: the key has no policy of its own."""
    return "PASS" if key.policy_given else "FAIL"


class Scanner(msgspec.Struct, frozen=True):
    """One check of one scanner, and what it will say; without `says` it is told only that it asks.

    `template`: it reads templates and plans, never a running server.
    """

    name: str
    check: str
    says: Callable[[KeyFacts], Said] | None = None
    template: bool = False
