"""The check of identity policies: does one open every key to whoever has it?

Source: AWS Security Hub User Guide, "AWS KMS controls", KMS.1 (customer managed policies) and KMS.2 (inline policies).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from keystead import errors
from keystead.analysis.posture.checks import Answer, Judged
from keystead.analysis.posture.scanners import Said, statements
from keystead.analysis.questions.granted import Access, access_granted
from keystead.analysis.report import sentence
from keystead.analysis.space import Universe
from keystead.policy import pattern
from keystead.policy.compiled import compile_policy
from keystead.policy.document import parse
from keystead.policy.request import PrincipalType

IDENTITY_CHECK: Final = "no-decrypt-on-all-keys"
_ACTIONS: Final = ("kms:Decrypt", "kms:ReEncryptFrom")
_UNNAMED: Final = "arn:aws:kms:us-east-1:{}:key/00000000-0000-4000-8000-000000000000"
"""A key that no policy names: who may use it may use every key."""
_TYPES: Final[tuple[PrincipalType, ...]] = ("user", "assumedRole", "federatedUser")
PolicyPlace = Literal["managed", "inline"]
_ASKED: Final[Mapping[PolicyPlace, tuple[str, ...]]] = {
    "managed": ("Security Hub KMS.1", "AWS Config iam-customer-policy-blocked-kms-actions"),
    "inline": ("Security Hub KMS.2", "AWS Config iam-inline-policy-blocked-kms-actions"),
}


def judge_identity(text: str, subject: str, place: PolicyPlace, account: str) -> Judged:
    """Whether an identity policy allows to decrypt under every key that there is or will be."""
    status, reason = _judged(text, account)
    return Judged(
        check=IDENTITY_CHECK,
        subject=subject,
        status=status,
        level="error" if status == "undecided" else "warning",
        reason=reason,
        said=dict.fromkeys(_ASKED[place], _said(text)),
    )


def _judged(text: str, account: str) -> Answer:
    try:
        policy = compile_policy(parse(text))
        asked = [Access(_ACTIONS, (_UNNAMED.format(account),))]
        found = access_granted(policy, asked, Universe(types=_TYPES), naming=False)
    except errors.MalformedPolicyDocument as error:
        return "undecided", error.message or "the policy cannot be read"
    except errors.Undecided as error:
        return "undecided", str(error)
    if not found:
        return "pass", "proven: a key that it does not name stays closed"
    return (
        "fail",
        f"Statement[{found[0].statement}] is about every key; for example, {sentence(found[0].witness)}",
    )


def _said(text: str) -> Said:
    """What the rules say, who look for the actions with a resource that stands for all keys."""
    return "FAIL" if any(map(_is_open, statements(text))) else "PASS"


def _is_open(statement: Mapping[str, Any]) -> bool:
    actions, resources = (_texts(statement.get(name)) for name in ("Action", "Resource"))
    matching = any(pattern.glob(one.lower())(action.lower()) for one in actions for action in _ACTIONS)
    return (
        statement.get("Effect") == "Allow"
        and matching
        and any(one == "*" or one.endswith((":key/*", ":*")) for one in resources)
    )


def _texts(element: Any) -> list[str]:
    return [
        str(one) for one in (element if isinstance(element, list) else [] if element is None else [element])
    ]
