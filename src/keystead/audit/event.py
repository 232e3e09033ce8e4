"""The event of one call, as AWS CloudTrail writes it: one JSON object in bytes, without a newline.

Source of the form: AWS CloudTrail User Guide, "CloudTrail record contents for management, data, and network
activity events" and "CloudTrail userIdentity element".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from keystead.audit.redact import redaction
from keystead.errors import ApiError
from keystead.identity.caller import (
    ANONYMOUS,
    ASSUMED_ROLE,
    AWS_SERVICE,
    FEDERATED_USER,
    IAM_USER,
    WEB_IDENTITY,
    Caller,
)
from keystead.identity.session import Session
from keystead.wire.model import Shape

EVENT_VERSION = "1.11"
KEY_TYPE = "AWS::KMS::Key"
ALIAS_TYPE = "AWS::KMS::Alias"
ROLE_TYPE = "AWS::IAM::Role"

_ACCESS_DENIED = "AccessDeniedException"
_INTERNAL = "AWS Internal"
_OPERATOR = "Keystead operator"
OPERATOR_SOURCE = "audit.keystead"
_ISSUED = frozenset({ASSUMED_ROLE, FEDERATED_USER})

_encode = msgspec.json.Encoder().encode


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


@lru_cache(maxsize=4096)
def identity_of(caller: Caller) -> UserIdentity:
    """The identity of a caller in its own account's events."""
    if caller.kind == AWS_SERVICE:
        return service_identity(caller.name)
    if caller.kind == ANONYMOUS:
        return UserIdentity(type=caller.kind, principal_id="", account_id="anonymous")
    if caller.kind == WEB_IDENTITY:
        return UserIdentity(
            type=caller.kind,
            principal_id=caller.principal_id,
            user_name=caller.name,
            identity_provider=caller.provider,
        )
    return UserIdentity(
        type=caller.kind,
        principal_id=caller.principal_id,
        arn=caller.arn,
        account_id=caller.account,
        access_key_id=caller.access_key_id,
        user_name=caller.name if caller.kind == IAM_USER else UNSET,
        session_context=_session_context(caller),
    )


def _session_context(caller: Caller) -> SessionContext | UnsetType:
    """What the event tells of temporary credentials; only a role and a federated user have an issuer there."""
    session, issuer = caller.session, caller.issuer
    if session is None or issuer is None:
        return UNSET
    return SessionContext(
        session_issuer=SessionIssuer(
            type=issuer.type,
            principal_id=issuer.id,
            arn=issuer.arn,
            account_id=caller.account,
            user_name=issuer.name or UNSET,
        )
        if caller.kind in _ISSUED
        else UNSET,
        web_id_federation_data=_federation(session),
        attributes=SessionAttributes(
            event_time(int(session.issued)), "false" if session.mfa is None else "true"
        ),
        source_identity=session.source_identity or UNSET,
    )


def _federation(session: Session) -> dict[str, str | dict[str, str]]:
    return {"federatedProvider": session.provider, "attributes": {}} if session.provider else {}


def identity_elsewhere(caller: Caller) -> UserIdentity:
    """The same caller in the events of another account, which owns the key: no names."""
    return UserIdentity(type="AWSAccount", principal_id=caller.principal_id, account_id=caller.account)


def service_identity(invoked_by: str) -> UserIdentity:
    """A service's identity, e.g. of `s3.amazonaws.com`."""
    return UserIdentity(type="AWSService", invoked_by=invoked_by)


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


class _Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
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
    requestParameters: Mapping[str, Any] | None  # noqa: N815
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


@lru_cache(maxsize=256)
def event_time(seconds: int) -> str:
    """Whole epoch seconds as `YYYY-MM-DDTHH:MM:SSZ`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def error_code(error: ApiError) -> str:
    """An event's errorCode: the error's name, but `AccessDenied` without its suffix."""
    return "AccessDenied" if error.code == _ACCESS_DENIED else error.code


def call_event(
    context: EventContext,
    service: str,
    operation: str,
    request: Shape | None,
    *,
    response: Shape | None = None,
    error: ApiError | None = None,
    key_arn: str | None = None,
    resources: Sequence[Resource] = (),
    additional: Mapping[str, Any] | None = None,
    shared_event_id: str | None = None,
) -> bytes:
    """The event of one API call.

    Args:
        context: what does not depend on the operation.
        service: as in signatures, e.g. `kms`.
        operation: its name.
        request: what was asked, None if that could not be read; `redact` decides what of it is shown.
        response: what is answered, if the call succeeds.
        error: what is answered otherwise. A denied call shows no parameters, as CloudTrail has it.
        key_arn: the key that was changed, for responseElements.
        resources: keys always by ARN, also where the request named an alias.
        additional: additionalEventData, e.g. keyMaterialId; nothing secret.
        shared_event_id: the same in the events of both accounts of a cross-account call.

    Raises:
        KeyError: there is no rule for the operation.
    """
    show = redaction(service, operation)
    denied = error is not None and error.code == _ACCESS_DENIED
    return _encode(
        _Event(
            userIdentity=context.identity,
            eventTime=event_time(int(context.time)),
            eventSource=show.event_source,
            eventName=operation,
            awsRegion=context.region,
            sourceIPAddress=context.source_ip,
            userAgent=context.user_agent,
            errorCode=UNSET if error is None else error_code(error),
            errorMessage=UNSET if error is None or error.message is None else error.message,
            requestParameters=None if denied or request is None else show.request_parameters(request),
            responseElements=None
            if error is not None or request is None
            else show.response_elements(request, response, key_arn),
            additionalEventData=additional or UNSET,
            requestID=context.request_id,
            eventID=context.event_id,
            readOnly=show.read_only,
            resources=resources or UNSET,
            managementEvent=not show.data,
            recipientAccountId=context.account,
            sharedEventID=shared_event_id or UNSET,
            eventCategory="Data" if show.data else "Management",
            tlsDetails=context.tls,
        )
    )


def service_event(
    *,
    event_id: str,
    time: float,
    region: str,
    account: str,
    service: str,
    name: str,
    resources: Sequence[Resource],
    details: Mapping[str, Any],
) -> bytes:
    """The event of something that a service did by itself (RotateKey, DeleteKey, …); `time` in epoch seconds."""
    return _encode(
        _Event(
            userIdentity=UserIdentity(type="AWSService", account_id=account, invoked_by=_INTERNAL),
            eventTime=event_time(int(time)),
            eventSource=f"{service}.amazonaws.com",
            eventName=name,
            awsRegion=region,
            sourceIPAddress=_INTERNAL,
            userAgent=_INTERNAL,
            requestParameters=None,
            responseElements=None,
            eventID=event_id,
            readOnly=False,
            resources=resources,
            eventType="AwsServiceEvent",
            recipientAccountId=account,
            serviceEventDetails=details,
        )
    )


def operator_event(
    *, event_id: str, time: float, region: str, account: str, name: str, details: Mapping[str, Any]
) -> bytes:
    """The event of what an operator, or a policy of theirs, did to the evidence itself (PlaceHold, PruneEvidence, …).

    AWS has no such events, so no name of AWS's is taken for their source.
    """
    return _encode(
        _Event(
            userIdentity=UserIdentity(type="AWSService", account_id=account, invoked_by=_OPERATOR),
            eventTime=event_time(int(time)),
            eventSource=OPERATOR_SOURCE,
            eventName=name,
            awsRegion=region,
            sourceIPAddress=_OPERATOR,
            userAgent=_OPERATOR,
            requestParameters=None,
            responseElements=None,
            eventID=event_id,
            readOnly=False,
            eventType="AwsServiceEvent",
            recipientAccountId=account,
            serviceEventDetails=details,
        )
    )
