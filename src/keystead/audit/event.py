"""The event of one call, as AWS CloudTrail writes it: one JSON object in bytes, without a newline.

Which members there are stands in `form`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from keystead.audit.form import (
    EventContext,
    Resource,
    SessionAttributes,
    SessionContext,
    SessionIssuer,
    UserIdentity,
    WrittenEvent,
)
from keystead.audit.redact import Redaction, redaction
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

KEY_TYPE = "AWS::KMS::Key"
ALIAS_TYPE = "AWS::KMS::Alias"
ROLE_TYPE = "AWS::IAM::Role"
BUCKET_TYPE = "AWS::S3::Bucket"
OBJECT_TYPE = "AWS::S3::Object"

_ACCESS_DENIED = "AccessDeniedException"
_SHOWN_DENIED = "s3"
_INTERNAL = "AWS Internal"
_OPERATOR = "Keystead operator"
OPERATOR_SOURCE = "audit.keystead"
_ISSUED = frozenset({ASSUMED_ROLE, FEDERATED_USER})

_encode = msgspec.json.Encoder().encode


# -------------------------------------------------------------------------------- who


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
    name: str | None = None,
    carried: Mapping[str, str] | None = None,
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
        error: what is answered otherwise. A denied call shows no parameters, as CloudTrail has it, but of S3.
        key_arn: the key that was changed, for responseElements.
        resources: keys always by ARN, also where the request named an alias.
        name: what the event is called, if not as the operation.
        carried: what requestParameters show besides members of the request.
        additional: additionalEventData, e.g. keyMaterialId; nothing secret.
        shared_event_id: the same in the events of both accounts of a cross-account call.

    Raises:
        KeyError: there is no rule for the operation.
    """
    show = redaction(service, operation)
    denied = error is not None and error.code == _ACCESS_DENIED and service != _SHOWN_DENIED
    asked = None if denied or request is None else show.request_parameters(request)
    return _encode(
        written(
            context,
            show,
            name or operation,
            event_time(int(context.time)),
            {**(asked or {}), **carried} if carried and not denied else asked,
            None
            if error is not None or request is None
            else show.response_elements(request, response, key_arn),
            error=error,
            resources=resources,
            additional=additional,
            shared_event_id=shared_event_id,
        )
    )


def written(
    context: EventContext,
    show: Redaction,
    operation: str,
    time: str,
    asked: Mapping[str, Any] | str | None,
    answered: Mapping[str, Any] | None,
    *,
    error: ApiError | None = None,
    resources: Sequence[Resource] = (),
    additional: Mapping[str, Any] | None = None,
    shared_event_id: str | None = None,
) -> WrittenEvent:
    """The members of a call's event; `asked` and `answered` are what is shown of the request and of its answer."""
    return WrittenEvent(
        userIdentity=context.identity,
        eventTime=time,
        eventSource=show.event_source,
        eventName=operation,
        awsRegion=context.region,
        sourceIPAddress=context.source_ip,
        userAgent=context.user_agent,
        errorCode=UNSET if error is None else error_code(error),
        errorMessage=UNSET if error is None or error.message is None else error.message,
        requestParameters=asked,
        responseElements=answered,
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
        WrittenEvent(
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
        WrittenEvent(
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
