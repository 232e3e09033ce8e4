"""From a call to its audit event: who, what, on which keys, with which outcome."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET

from keystead import errors
from keystead.api import carried
from keystead.api.call import Call, Target, Via
from keystead.api.operation import Also
from keystead.api.schedule import DueEvent
from keystead.audit.event import (
    ALIAS_TYPE,
    BUCKET_TYPE,
    KEY_TYPE,
    OBJECT_TYPE,
    ROLE_TYPE,
    call_event,
    identity_elsewhere,
    identity_of,
    service_event,
)
from keystead.audit.form import EventContext, Resource, TlsDetails, UserIdentity
from keystead.audit.rules import SYMMETRIC_DEFAULT
from keystead.audit.stencil import LONGEST, MATERIAL, RESOURCE, Stencil, Stencils, stencil
from keystead.audit.told import Record
from keystead.crypto.attestation import Attestation
from keystead.entropy import Entropy, new_uuid
from keystead.identity.caller import AWS_SERVICE
from keystead.keys import Key
from keystead.wire.model import Shape

_STENCILS: Final = Stencils()
_MOULDS: Final = Stencils()
"""Those of calls that differ in their key besides: each new key's is made of one, in a fifth of the time."""
_KEPT: Final[Mapping[Hashable, Stencil | None]] = _STENCILS.kept
_UNKNOWN: Final = Stencil.__new__(Stencil)
"""What is found where nothing is kept: no stencil of any event."""

_ON_ALIASES: Final = frozenset({"kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"})


def records_of(
    call: Call,
    service: str,
    request: Shape | None,
    answer: Shape | None,
    targets: tuple[Target, ...],
    error: errors.ApiError | None,
    also: Sequence[Also] = (),
) -> tuple[Record, ...]:
    """The events of one call, the caller's account's first; what they show is `audit.redact`'s decision.

    Each other account that owns what the call acted on has an event of its own with the same sharedEventID, unless
    the call was denied (AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail"). What the call
    did elsewhere by the way is `also` in the caller's account.
    """
    if error is None and not also and len(targets) == 1 and request is not None:
        (target,) = targets
        key, guard, account = target.key, target.guard, call.account
        # The event tells nothing else than those of most uses of a key do.
        if (
            key is not None
            and target.account == account
            and target.attestation is None
            and call.proof is None
            and (guard is None or guard.told is None)
        ):
            operation, via = call.operation, call.via
            alike = (
                call.caller,
                service,
                operation,
                call.region,
                call.source_ip,
                call.user_agent,
                call.tls,
                None if via is None else via.services,
                _material(operation, answer, key),
                target.resource,
            )
            known = _KEPT.get(alike, _UNKNOWN)
            if known is _UNKNOWN:
                known = _stencil(call, service, answer, targets, alike)
            if known is not None:
                return (known.event(call.now, request, call.request_id, call.event_id),)
    return _one_by_one(call, service, request, answer, targets, error, also)


def _stencil(
    call: Call, service: str, answer: Shape | None, targets: tuple[Target, ...], alike: tuple[Any, ...]
) -> Stencil | None:
    """That of calls that have `alike` in common, which is kept; None if there can be none."""
    if len(call.user_agent) > LONGEST:
        return None
    *others, material, resource = alike
    additional, made = _additional(call, answer, targets), None
    if (list(additional.values()) if additional else [None]) == [material]:
        like = (*others, material is None)
        mould = _MOULDS.kept.get(like, _UNKNOWN)
        if mould is _UNKNOWN:
            resources = [Resource(each.account_id, each.type, RESOURCE) for each in _resources(targets)]
            marked = dict.fromkeys(additional, MATERIAL) if additional else None
            mould = stencil(_context(call, targets), service, call.operation, resources, marked)
            _MOULDS.put(like, mould)
        made = None if mould is None else mould.of_key(resource, material)
    if made is None:
        made = stencil(_context(call, targets), service, call.operation, _resources(targets), additional)
    return _STENCILS.put(alike, made)


def _one_by_one(
    call: Call,
    service: str,
    request: Shape | None,
    answer: Shape | None,
    targets: tuple[Target, ...],
    error: errors.ApiError | None,
    also: Sequence[Also],
) -> tuple[bytes, ...]:
    context = _context(call, targets)
    resources = _resources(targets) or _made(answer)
    owners = _owners(context.account, targets, error)
    additional, exchange = _additional(call, answer, targets), call.exchange
    if exchange is not None:
        failed = error is not None
        additional = carried.additional(call, exchange, request, answer, failed=failed) | (additional or {})
    shared = new_uuid(call.entropy) if owners else None

    def record(context: EventContext) -> bytes:
        return call_event(
            context,
            service,
            call.operation,
            request,
            response=answer,
            error=error,
            key_arn=_first_key(targets),
            resources=resources,
            name=carried.event_of(exchange, call.operation),
            carried=carried.asked(exchange),
            additional=additional,
            shared_event_id=shared,
        )

    if not context.account:
        return ()  # a caller without an account asked for what is nobody's
    if not owners and not also:
        return (record(context),)
    return (
        record(context),
        *(record(_elsewhere(call, context, owner)) for owner in owners),
        *(_by_the_way(call, context, service, one) for one in also),
    )


def _context(call: Call, targets: tuple[Target, ...]) -> EventContext:
    """What the event in the caller's account tells of the call whatever its operation.

    A service principal has no account: its call is told to the resource's owner.
    """
    via, account = call.via, call.account
    service = via.services[-1] if via is not None else ""
    if call.caller.kind == AWS_SERVICE and not service:
        service = call.caller.name
    return EventContext(
        request_id=call.request_id,
        event_id=call.event_id,
        time=call.now,
        region=call.region,
        account=account or (targets[0].account if targets else ""),
        identity=identity_of(call.caller) if via is None else _through(identity_of(call.caller), via),
        source_ip=service or call.source_ip,
        user_agent=service or call.user_agent,
        tls=UNSET if call.tls is None or service else TlsDetails(*call.tls),
    )


def _through(identity: UserIdentity, via: Via) -> UserIdentity:
    """A caller for whom a service calls keeps its identity (CloudTrail User Guide, "invokedBy")."""
    return msgspec.structs.replace(identity, invoked_by=via.services[-1])


def _owners(account: str, targets: tuple[Target, ...], error: errors.ApiError | None) -> list[str]:
    """The other accounts whose keys or roles the call acted on, each once; none of a call that was denied."""
    owners: list[str] = []
    for target in targets:
        owner = target.account
        owned = target.key is not None or target.trust is not None or target.kind is not None
        if owned and owner != account and owner not in owners:
            owners.append(owner)
    return [] if isinstance(error, errors.AccessDenied) else owners


def _elsewhere(call: Call, context: EventContext, owner: str) -> EventContext:
    """The same call as the account `owner` is told of it: without the caller's names."""
    identity = identity_elsewhere(call.caller)
    return msgspec.structs.replace(
        context,
        event_id=new_uuid(call.entropy),
        account=owner,
        identity=identity if call.via is None else _through(identity, call.via),
    )


def _by_the_way(call: Call, context: EventContext, service: str, also: Also) -> bytes:
    return call_event(
        msgspec.structs.replace(context, event_id=new_uuid(call.entropy), region=also.region),
        service,
        also.operation,
        also.request,
        response=also.answer,
        resources=_made(also.answer),
    )


def _first_key(targets: tuple[Target, ...]) -> str | None:
    for target in targets:
        if target.key is not None:
            return target.resource
    return None


def _resources(targets: tuple[Target, ...]) -> list[Resource]:
    """What the call acted on, of the kinds that events name: each key as often as it takes part."""
    found: list[Resource] = []
    for target in targets:
        if target.key is not None:
            found.append(Resource(target.account, KEY_TYPE, target.resource))
        elif (kind := _kind(target)) is not None:
            for resource in (Resource(target.account, kind, target.resource), *_around(target)):
                if resource not in found:  # a role is a target once for each permission
                    found.append(resource)
    return found


def _around(target: Target) -> tuple[Resource, ...]:
    """The bucket that an object is in, which its events name as well (Amazon S3 User Guide, "CloudTrail events")."""
    if target.kind != OBJECT_TYPE:
        return ()
    return (Resource(target.account, BUCKET_TYPE, target.resource.partition("/")[0]),)


def _kind(target: Target) -> str | None:
    """The type of a resource that is no key, None if events do not name it."""
    if target.kind is not None:
        return target.kind
    if target.trust is not None:
        return ROLE_TYPE
    return ALIAS_TYPE if target.action in _ON_ALIASES and ":alias/" in target.resource else None


def _made(answer: Any) -> list[Resource]:
    """The key that the call created; AWS KMS Developer Guide, example event of CreateKey."""
    made = getattr(answer, "key_metadata", None)
    return [] if made is None else [Resource(made.aws_account_id, KEY_TYPE, made.arn)]


def _additional(call: Call, answer: Any, targets: tuple[Target, ...]) -> dict[str, Any] | None:
    """Which key materials were used, which machine asked, what an unsigned request has proved, what a guard said."""
    if call.operation == "ReEncrypt":
        shown: dict[str, Any] = _re_encrypted(answer)
    else:
        key = targets[0].key if targets else None
        material = _told(answer) if key is None else _material(call.operation, answer, key)
        shown = {} if material is None else {"keyMaterialId": material}
    if call.proof is not None:
        shown.update(call.proof.evidence)
    for target in targets:
        if target.attestation is not None:
            shown["recipient"] = _recipient(target.attestation)
        if target.guard is not None and target.guard.told is not None:
            shown["guard"] = target.guard.told
    return shown or None


def _material(operation: str, answer: Any, key: Key) -> str | None:
    """The key material that was used, where events tell it. Encrypt's answer does not tell it, its event does."""
    if operation != "Encrypt" or answer is None:
        return getattr(answer, "key_material_id", None)  # as `_told`, without a call
    return key.current_id if key.spec == SYMMETRIC_DEFAULT else None


def _told(answer: Any) -> str | None:
    """The key material that the answer names."""
    return getattr(answer, "key_material_id", None)


def _re_encrypted(answer: Any) -> dict[str, Any]:
    """Source: AWS KMS Developer Guide, example event of ReEncrypt."""
    members = {
        "sourceKeyMaterialId": getattr(answer, "source_key_material_id", None),
        "destinationKeyMaterialId": getattr(answer, "destination_key_material_id", None),
    }
    return {name: material for name, material in members.items() if material is not None}


def _recipient(attested: Attestation) -> dict[str, str]:
    """As in AWS KMS Developer Guide, "Monitoring attested requests"; a NitroTPM has no enclave's image."""
    shown = {"attestationDocumentModuleId": attested.module_id}
    if 0 in attested.pcrs:
        shown["attestationDocumentEnclaveImageDigest"] = attested.pcrs[0].hex()
    return shown


def service_record(event: DueEvent, now: float, entropy: Entropy) -> bytes:
    """The event of something that a service did by itself, in the account of what it did it to."""
    account, arn = str(event["account"]), str(event["arn"])
    details = event["serviceEventDetails"]
    assert isinstance(details, dict)
    return service_event(
        event_id=new_uuid(entropy),
        time=now,
        region=str(event["region"]),
        account=account,
        service=str(event["service"]),
        name=str(event["eventName"]),
        resources=[Resource(account, str(event["type"]), arn)],
        details=details,
    )
