"""From a call to its audit event: who, what, on which keys, with which outcome."""

from __future__ import annotations

from typing import Any

import msgspec

from keystead import errors
from keystead.api.call import Call, Target, Via
from keystead.api.schedule import DueEvent
from keystead.audit.event import (
    KEY_TYPE,
    EventContext,
    Resource,
    UserIdentity,
    call_event,
    identity_of,
    service_event,
)
from keystead.crypto.attestation import Attestation
from keystead.entropy import Entropy, new_uuid
from keystead.identity import Caller
from keystead.wire.model import Shape


def record_of(
    call: Call,
    service: str,
    request: Shape | None,
    answer: Shape | None,
    targets: tuple[Target, ...],
    error: errors.ApiError | None,
) -> bytes:
    """The event of one call in its caller's account; what it shows is `audit.redact`'s decision."""
    via = call.via
    context = EventContext(
        request_id=call.request_id,
        event_id=call.event_id,
        time=call.now,
        region=call.region,
        account=call.account or _owner(targets),
        identity=identity_of(call.caller) if via is None else _through(call.caller, via),
        source_ip=call.source_ip if via is None else via.services[-1],
        user_agent=call.user_agent if via is None else via.services[-1],
    )
    return call_event(
        context,
        service,
        call.operation,
        request,
        response=answer,
        error=error,
        key_arn=_first_key(targets),
        resources=_resources(targets) or _made(answer),
        additional=_additional(answer, targets),
    )


def _owner(targets: tuple[Target, ...]) -> str:
    """Whose event the call of a service principal is, which has no account: the resource's owner's."""
    return targets[0].account if targets else ""


def _through(caller: Caller, via: Via) -> UserIdentity:
    """A caller for whom a service calls keeps its identity (CloudTrail User Guide, "invokedBy")."""
    return msgspec.structs.replace(identity_of(caller), invoked_by=via.services[-1])


def _first_key(targets: tuple[Target, ...]) -> str | None:
    for target in targets:
        if target.key is not None:
            return target.resource
    return None


def _resources(targets: tuple[Target, ...]) -> list[Resource]:
    return [Resource(t.account, KEY_TYPE, t.resource) for t in targets if t.key is not None]


def _made(answer: Any) -> list[Resource]:
    """The key that the call created; AWS KMS Developer Guide, example event of CreateKey."""
    made = getattr(answer, "key_metadata", None)
    return [] if made is None else [Resource(made.aws_account_id, KEY_TYPE, made.arn)]


def _additional(answer: Any, targets: tuple[Target, ...]) -> dict[str, Any] | None:
    material = getattr(answer, "key_material_id", None)
    shown: dict[str, Any] = {} if material is None else {"keyMaterialId": material}
    attested = next((t.attestation for t in targets if t.attestation is not None), None)
    if attested is not None:
        shown["recipient"] = _recipient(attested)
    return shown or None


def _recipient(attested: Attestation) -> dict[str, str]:
    """As in AWS KMS Developer Guide, "Monitoring attested requests"; a NitroTPM has no enclave's image."""
    shown = {"attestationDocumentModuleId": attested.module_id}
    if 0 in attested.pcrs:
        shown["attestationDocumentEnclaveImageDigest"] = attested.pcrs[0].hex()
    return shown


def service_record(event: DueEvent, now: float, entropy: Entropy) -> bytes:
    """The event of something that the service did by itself, in the key's account."""
    account, arn = str(event["account"]), str(event["keyArn"])
    details = event["serviceEventDetails"]
    assert isinstance(details, dict)
    return service_event(
        event_id=new_uuid(entropy),
        time=now,
        region=str(event["region"]),
        account=account,
        service="kms",
        name=str(event["eventName"]),
        resources=[Resource(account, KEY_TYPE, arn)],
        details=details,
    )
