"""Reading what the evidence says of a key: recorded calls, and what they come to by principal, service and context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from keystead.analysis.advisor.facts import Use
from keystead.analysis.questions.duties import USE

CRYPTOGRAPHIC: Final = frozenset(name.removeprefix("kms:") for name in USE) | {"ReEncrypt"}
"""Operations that use key material, by the names that events have."""
_CONTEXTS: Final = ("encryptionContext", "sourceEncryptionContext", "destinationEncryptionContext")
_BUCKET: Final = "arn:aws:s3:::"


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """How often one principal did one thing, through one service and with the same names in the encryption context.

    Attributes:
        contexts: the names in it, each with the value if all calls had the same, else with None.
        last: epoch seconds.
    """

    principal: str
    operation: str
    service: str
    contexts: Mapping[str, str | None]
    count: int
    last: float


def read_use(event: Mapping[str, Any]) -> Use | None:
    """The call that an event records; None of one that nobody made, such as a rotation (CloudTrail's record format)."""
    identity = event.get("userIdentity") or {}
    principal = _principal(identity)
    if event.get("eventType") != "AwsApiCall" or not principal:
        return None
    asked = event.get("requestParameters") or {}
    context = {name: value for member in _CONTEXTS for name, value in (asked.get(member) or {}).items()}
    via = identity.get("invokedBy", "") if identity.get("type") != "AWSService" else ""
    return Use(
        principal=principal,
        account=identity.get("accountId", ""),
        operation=event.get("eventName", ""),
        service=via,
        context=context,
        at=datetime.fromisoformat(event["eventTime"]).timestamp(),
        error=event.get("errorCode", ""),
    )


def _principal(identity: Mapping[str, Any]) -> str:
    """The role behind a session; else the caller, or the service that called for itself.

    Of a caller from another account the key's account is told no more than its account, whose root stands for it.
    """
    if identity.get("type") == "AWSAccount":
        return f"arn:aws:iam::{identity.get('accountId', '')}:root"
    session = identity.get("sessionContext") or {}
    issuer = (session.get("sessionIssuer") or {}).get("arn", "")
    return str(issuer or identity.get("arn", "") or identity.get("invokedBy", ""))


def totals(uses: Iterable[Use]) -> tuple[Total, ...]:
    """Successful cryptographic uses, added up; the most frequent first."""
    groups: dict[tuple[str, str, str, tuple[str, ...]], list[Use]] = {}
    for use in successful(uses):
        same = (use.principal, use.operation, use.service, tuple(sorted(use.context)))
        groups.setdefault(same, []).append(use)
    found = [
        Total(
            principal=principal,
            operation=operation,
            service=service,
            contexts={name: _one_value(name, group) for name in names},
            count=len(group),
            last=max(use.at for use in group),
        )
        for (principal, operation, service, names), group in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.count, one.principal, one.operation)))


def successful(uses: Iterable[Use]) -> Iterator[Use]:
    """The uses of key material that were not refused."""
    return (use for use in uses if not use.error and use.operation in CRYPTOGRAPHIC)


def _one_value(name: str, group: Iterable[Use]) -> str | None:
    values = {use.context[name] for use in group}
    return values.pop() if len(values) == 1 else None


def operations_by_principal(uses: Iterable[Use]) -> dict[str, frozenset[str]]:
    """What each principal did with the key material."""
    found: dict[str, set[str]] = {}
    for use in successful(uses):
        found.setdefault(use.principal, set()).add(use.operation)
    return {principal: frozenset(found[principal]) for principal in sorted(found)}


def buckets_seen(uses: Iterable[Use]) -> frozenset[str]:
    """The buckets that encryption contexts of S3 name."""
    named = (use.context.get("aws:s3:arn", "") for use in uses)
    return frozenset(arn.removeprefix(_BUCKET).partition("/")[0] for arn in named if arn.startswith(_BUCKET))
