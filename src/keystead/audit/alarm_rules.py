"""Which events somebody should hear of, as data.

The rules called `cis-…`, `disable-key` and `schedule-key-deletion` are the alarms of the CIS AWS Foundations Benchmark
3.0 (section 4, "Monitoring") that this server has events for. As the benchmark's filters do, they hold for calls that
failed, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from keystead import arn, errors
from keystead.audit.event import OPERATOR_SOURCE

_USES: Final = frozenset(
    {
        "Decapsulate", "Decrypt", "DeriveSharedSecret", "Encapsulate", "Encrypt", "GenerateDataKey",
        "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext",
        "GenerateMac", "ReEncrypt", "Sign", "Verify", "VerifyMac",
    }
)  # fmt: skip
_POLICY_CHANGES: Final = ("Put", "Attach", "Detach", "Delete", "Create", "SetDefault", "Update")
ELSEWHERE: Final = "AWSAccount"
"""The type of a caller without names: of a call's second event, in the account of the key's owner, and of nobody known."""


class Issuer(msgspec.Struct, frozen=True):
    arn: str = ""


class SessionContext(msgspec.Struct, frozen=True, rename="camel"):
    session_issuer: Issuer = Issuer()


class Identity(msgspec.Struct, frozen=True, rename="camel"):
    """Who called, as far as rules ask."""

    type: str = ""
    arn: str = ""
    principal_id: str = ""
    account_id: str = ""
    invoked_by: str = ""
    session_context: SessionContext = SessionContext()

    @property
    def who(self) -> str:
        """The user, root, or role whatever its session; a service by its name; `anonymous` for nobody known."""
        known = self.session_context.session_issuer.arn or self.arn or self.principal_id or self.invoked_by
        return known or self.account_id

    @property
    def elsewhere(self) -> bool:
        """Whether the event is a call's second, in the account of the key's owner."""
        return self.type == ELSEWHERE and bool(self.principal_id)


class Resource(msgspec.Struct, frozen=True):
    accountId: str = ""  # noqa: N815  CloudTrail's names, here and below
    ARN: str = ""


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """The members of an audit event that rules ask of."""

    event_id: str = msgspec.field(name="eventID")
    event_name: str
    event_source: str
    event_time: datetime
    aws_region: str = ""
    recipient_account_id: str = ""
    event_type: str = ""
    read_only: bool = False
    error_code: str = ""
    user_identity: Identity = Identity()
    request_parameters: dict[str, Any] | None = None
    resources: tuple[Resource, ...] = ()

    def asks(self, service: str, *names: str) -> bool:
        """Whether it tells of a call of one of these operations, whatever was answered."""
        return self.event_name in names and self.event_source == f"{service}.amazonaws.com"

    def is_(self, service: str, *names: str) -> bool:
        """Whether it tells of a successful call of one of these operations."""
        return self.asks(service, *names) and not self.error_code


decode = msgspec.json.Decoder(Event).decode


class AlarmRule(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm is raised when `matches` held `count` times within `window` seconds for one principal.

    After that the principal has no further alarm of this rule until the window ends; `window` 0 raises one for
    each event. `once` raises one only for the first event ever of each principal.
    """

    name: str
    title: str
    matches: Callable[[Event], bool]
    count: int = 1
    window: float = 0.0
    once: bool = False


def _of(service: str, *names: str) -> Callable[[Event], bool]:
    return lambda event: event.is_(service, *names)


def _attempt(service: str, *names: str) -> Callable[[Event], bool]:
    return lambda event: event.asks(service, *names)


def _grant_to_outsider(event: Event) -> bool:
    if not event.is_("kms", "CreateGrant") or not event.resources:
        return False
    grantee = str((event.request_parameters or {}).get("granteePrincipal", ""))
    return arn.account_in(grantee) != event.resources[0].accountId


def _root(event: Event) -> bool:
    return event.user_identity.type == "Root" and not event.user_identity.invoked_by


def _refused(event: Event) -> bool:
    refused = event.error_code.startswith("AccessDenied") or event.error_code.endswith(
        "UnauthorizedOperation"
    )
    return refused and event.event_name != "HeadBucket"  # asks whether there is such a bucket


def _policy_change(event: Event) -> bool:
    changes = event.event_name.startswith(_POLICY_CHANGES) and "Policy" in event.event_name
    return changes and event.event_source == "iam.amazonaws.com"


def _organization_change(event: Event) -> bool:
    return event.event_source == "organizations.amazonaws.com" and not event.read_only


ALARMS: Final = (
    AlarmRule(name="disable-key", title="Disabling of a KMS key", matches=_attempt("kms", "DisableKey")),
    AlarmRule(
        name="schedule-key-deletion",
        title="Deletion of a KMS key",
        matches=_attempt("kms", "ScheduleKeyDeletion"),
    ),
    AlarmRule(
        name="delete-material",
        title="Imported key material was deleted",
        matches=_of("kms", "DeleteImportedKeyMaterial"),
    ),
    AlarmRule(name="key-policy", title="A key policy was replaced", matches=_of("kms", "PutKeyPolicy")),
    AlarmRule(
        name="grant-to-outsider",
        title="A grant was made to somebody outside the key's account",
        matches=_grant_to_outsider,
    ),
    AlarmRule(
        name="decrypt-burst",
        title="One principal decrypted very often",
        matches=_of("kms", "Decrypt"),
        count=1000,
        window=60.0,
    ),
    AlarmRule(
        name="new-principal",
        title="A principal used a KMS key for the first time",
        matches=lambda event: event.is_("kms", *_USES),
        once=True,
    ),
    AlarmRule(name="cis-root-use", title="The root of an account was used", matches=_root, window=300.0),
    AlarmRule(
        name="cis-unauthorized-calls",
        title="A principal was refused again and again",
        matches=_refused,
        count=5,
        window=300.0,
    ),
    AlarmRule(name="cis-iam-policy-change", title="Change of an IAM policy", matches=_policy_change),
    AlarmRule(
        name="cis-bucket-policy-change",
        title="Change of what others may do with a bucket, or of how long it keeps objects",
        matches=_attempt(
            "s3",
            "DeleteBucketCors",
            "DeleteBucketLifecycle",
            "DeleteBucketPolicy",
            "DeleteBucketReplication",
            "PutBucketAcl",
            "PutBucketCors",
            "PutBucketLifecycle",
            "PutBucketPolicy",
            "PutBucketReplication",
        ),
    ),
    AlarmRule(
        name="cis-organization-change", title="Change of the organization", matches=_organization_change
    ),
    AlarmRule(
        name="cis-trail-change",
        title="Change of what is kept of the evidence",
        matches=_attempt(
            "cloudtrail",
            "CreateTrail",
            "DeleteTrail",
            "PutEventSelectors",
            "StartLogging",
            "StopLogging",
            "UpdateTrail",
        ),
    ),
    AlarmRule(
        name="hold-released",
        title="A hold on the evidence was released",
        matches=lambda event: (event.event_source, event.event_name) == (OPERATOR_SOURCE, "ReleaseHold"),
    ),
)
"""Every rule; settings may switch one off, or change its count and window."""


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the settings file says of one rule."""

    enabled: bool = True
    count: int | None = None
    window: float | None = None


def chosen(changes: Mapping[str, Change]) -> tuple[AlarmRule, ...]:
    """The rules that count.

    Raises:
        errors.SettingsError: a rule is not known, or a number makes no sense.
    """
    unknown = sorted(set(changes) - {rule.name for rule in ALARMS})
    if unknown:
        raise errors.SettingsError(f"there is no alarm called {unknown[0]!r}")
    rules = []
    for rule in ALARMS:
        change = changes.get(rule.name, Change())
        count = rule.count if change.count is None else change.count
        window = rule.window if change.window is None else change.window
        if count < 1 or window < 0:
            raise errors.SettingsError(f"alarm {rule.name}: count is 1 or more, window 0 or more")
        if change.enabled:
            rules.append(msgspec.structs.replace(rule, count=count, window=window))
    return tuple(rules)
