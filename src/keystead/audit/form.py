"""The form of an event, as AWS CloudTrail has it: its members, in the order in which they are written.

Source: AWS CloudTrail User Guide, "CloudTrail record contents for management, data, and network activity events"
and "CloudTrail userIdentity element".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

EVENT_VERSION = "1.11"

# -------------------------------------------------------------------------------- who


class SessionIssuer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The role that a session's credentials come from."""

    type: str
    principal_id: str
    arn: str
    account_id: str
    user_name: str | UnsetType = UNSET


class SessionAttributes(msgspec.Struct, frozen=True, rename="camel"):
    """When a session was made (`YYYY-MM-DDTHH:MM:SSZ`) and whether with a second factor ("true", "false")."""

    creation_date: str
    mfa_authenticated: str


class SessionContext(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an AssumedRole or FederatedUser identity tells of its session."""

    session_issuer: SessionIssuer | UnsetType = UNSET
    web_id_federation_data: Mapping[str, str | dict[str, str]] = {}
    attributes: SessionAttributes
    source_identity: str | UnsetType = UNSET


class UserIdentity(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """CloudTrail's userIdentity: which members are set depends on `type`."""

    type: str
    principal_id: str | UnsetType = UNSET
    arn: str | UnsetType = UNSET
    account_id: str | UnsetType = UNSET
    access_key_id: str | UnsetType = UNSET
    user_name: str | UnsetType = UNSET
    session_context: SessionContext | UnsetType = UNSET
    invoked_by: str | UnsetType = UNSET
    identity_provider: str | UnsetType = UNSET


# ------------------------------------------------------------------------------- what


class TlsDetails(msgspec.Struct, frozen=True, rename="camel"):
    """The connection, e.g. `TLSv1.3`, `TLS_AES_128_GCM_SHA256` and the Host header."""

    tls_version: str
    cipher_suite: str
    client_provided_host_header: str


class Resource(msgspec.Struct, frozen=True, gc=False):
    """A thing that the call acted on."""

    account_id: str = msgspec.field(name="accountId")
    type: str
    arn: str = msgspec.field(name="ARN")


class EventContext(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an event tells of a call whatever its operation; `time` is in epoch seconds.

    `account` is the account whose stream the event goes to. A caller may choose `user_agent` freely.
    """

    request_id: str
    event_id: str
    time: float
    region: str
    account: str
    identity: UserIdentity
    source_ip: str
    user_agent: str
    tls: TlsDetails | UnsetType = UNSET


class WrittenEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The members in the order in which CloudTrail writes them; UNSET ones are left out."""

    eventVersion: str = EVENT_VERSION  # noqa: N815  CloudTrail's names, here and below
    userIdentity: UserIdentity  # noqa: N815
    eventTime: str  # noqa: N815
    eventSource: str  # noqa: N815
    eventName: str  # noqa: N815
    awsRegion: str  # noqa: N815
    sourceIPAddress: str  # noqa: N815
    userAgent: str  # noqa: N815
    errorCode: str | UnsetType = UNSET  # noqa: N815
    errorMessage: str | UnsetType = UNSET  # noqa: N815
    requestParameters: Mapping[str, Any] | str | None  # noqa: N815  a text only in a stencil
    responseElements: Mapping[str, Any] | None  # noqa: N815
    additionalEventData: Mapping[str, Any] | UnsetType = UNSET  # noqa: N815
    requestID: str | UnsetType = UNSET  # noqa: N815
    eventID: str  # noqa: N815
    readOnly: bool  # noqa: N815
    resources: Sequence[Resource] | UnsetType = UNSET
    eventType: str = "AwsApiCall"  # noqa: N815
    managementEvent: bool = True  # noqa: N815
    recipientAccountId: str  # noqa: N815
    serviceEventDetails: Mapping[str, Any] | UnsetType = UNSET  # noqa: N815
    sharedEventID: str | UnsetType = UNSET  # noqa: N815
    eventCategory: str = "Management"  # noqa: N815
    tlsDetails: TlsDetails | UnsetType = UNSET  # noqa: N815
