"""CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, UpdateKeyDescription."""

from __future__ import annotations

from typing import Any

import msgspec

from keystead import arn, errors
from keystead.api import Call, Target, operation
from keystead.crypto.spec import KEY_TYPES
from keystead.entropy import Entropy, new_uuid
from keystead.keys import Key, KeyState, MultiRegion
from keystead.keys import key as keys
from keystead.keys import spec as specs
from keystead.keys.key import Material
from keystead.keys.state import check_state
from keystead.keys.tags import check_new_tags
from keystead.services.kms.custom_key_stores import stores_of
from keystead.services.kms.facts import bypass_fact, creation_tag_facts, new_key_facts, tagging_at_creation
from keystead.services.kms.key_stores import refuse_key
from keystead.services.kms.lending import with_fresh_material
from keystead.services.kms.metadata import key_metadata
from keystead.services.kms.paging import page_keys
from keystead.services.kms.policies import checked_policy
from keystead.services.kms.rotation import resume_rotation
from keystead.services.kms.tables import KEYS, key_place
from keystead.services.kms.targets import named_key, on_account, on_key
from keystead.services.kms.usage import trailing_days
from keystead.wire.models import kms as wire


def new_key_id(entropy: Entropy, *, multi_region: bool) -> str:
    """A fresh key id: a UUID, or `mrk-` and 32 hex digits."""
    return "mrk-" + entropy.random(16).hex() if multi_region else new_uuid(entropy)


# ----------------------------------------------------------------------------- CreateKey


def _requested_spec(request: wire.CreateKeyRequest) -> str:
    if request.key_spec is not None and request.customer_master_key_spec is not None:
        raise errors.Validation(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    return request.key_spec or request.customer_master_key_spec or specs.SYMMETRIC_DEFAULT


def _create_targets(call: Call, request: wire.CreateKeyRequest) -> tuple[Target, ...]:
    facts = new_key_facts(
        _requested_spec(request),
        request.key_usage or specs.ENCRYPT_DECRYPT,
        request.origin or keys.AWS_KMS,
        keys.PRIMARY if request.multi_region else None,
    )
    facts |= bypass_fact(request.bypass_policy_lockout_safety_check)
    facts |= creation_tag_facts(request.tags)
    create = Target("kms:CreateKey", "*", call.account, facts=facts)
    if not request.tags:
        return (create,)
    return (create, tagging_at_creation(call.account, request.tags))


def _creation_is_slow(request: wire.CreateKeyRequest, _targets: tuple[Target, ...]) -> bool:
    kind = KEY_TYPES.get(request.key_spec or request.customer_master_key_spec or specs.SYMMETRIC_DEFAULT)
    return kind is not None and kind.slow


def _check_origin(call: Call, request: wire.CreateKeyRequest, origin: str) -> None:
    if origin in {keys.AWS_CLOUDHSM, keys.EXTERNAL_KEY_STORE} or request.custom_key_store_id is not None:
        refuse_key(request, origin, stores_of(call))
    if request.xks_key_id is not None:
        raise errors.Validation("XksKeyId is valid only for keys with Origin EXTERNAL_KEY_STORE.")


@operation("CreateKey", targets=_create_targets, changes=True, slow=_creation_is_slow)
def create_key(call: Call, request: wire.CreateKeyRequest, *_targets: Target) -> wire.CreateKeyResponse:
    """Create a customer managed key, with its material unless that is to be imported."""
    spec = specs.spec_named(_requested_spec(request))
    usage = specs.check_usage(spec, request.key_usage)
    origin = request.origin or keys.AWS_KMS
    _check_origin(call, request, origin)
    tags = check_new_tags((tag.tag_key or "", tag.tag_value or "") for tag in request.tags or ())
    policy = checked_policy(
        call,
        request.policy,
        call.account,
        bypass_lockout_check=bool(request.bypass_policy_lockout_safety_check),
    )
    count = f"{call.account}/{call.region}/keys"
    if call.tx.count(count) >= call.quotas.keys:
        raise errors.LimitExceeded(
            f"The account has reached its quota of {call.quotas.keys} KMS keys in this Region."
        )
    key = Key(
        account=call.account,
        region=call.region,
        id=new_key_id(call.entropy, multi_region=bool(request.multi_region)),
        spec=spec.name,
        usage=usage,
        origin=origin,
        state=KeyState.ENABLED if origin == keys.AWS_KMS else KeyState.PENDING_IMPORT,
        created=call.now,
        policy=policy.text,
        principals=policy.principals,
        description=request.description or "",
        tags=tags,
        multi_region=MultiRegion(role=keys.PRIMARY, primary=call.region) if request.multi_region else None,
    )
    if origin == keys.AWS_KMS:
        key, material_id = with_fresh_material(call.tx, call.keyring, key)
        key = msgspec.structs.replace(key, materials=(Material(id=material_id),))
    call.tx.insert(KEYS, key_place(key), key)
    call.tx.bump(count, 1)
    return wire.CreateKeyResponse(key_metadata=key_metadata(key))


# --------------------------------------------------------------------- DescribeKey, ListKeys


@operation("DescribeKey", targets=on_key("DescribeKey", aliases=True, cross_account=True))
def describe_key(_call: Call, _request: wire.DescribeKeyRequest, target: Target) -> wire.DescribeKeyResponse:
    """Return what there is to know about a key, without its policy, tags, aliases and grants."""
    return wire.DescribeKeyResponse(key_metadata=key_metadata(target.found))


@operation("ListKeys", targets=on_account("ListKeys"))
def list_keys(call: Call, request: wire.ListKeysRequest, _account: Target) -> wire.ListKeysResponse:
    """Return a page of the account's keys in the Region."""
    if request.resource_owners is not None and "SELF" not in request.resource_owners:
        return wire.ListKeysResponse(keys=[], truncated=False)
    here = f"{call.account}/{call.region}/"
    found, marker = page_keys(call, KEYS, here, request.limit or 100, request.marker)
    ids = [place.removeprefix(here) for place in found]
    entries = [
        wire.KeyListEntry(key_id=key, key_arn=arn.key_arn(call.region, call.account, key)) for key in ids
    ]
    return wire.ListKeysResponse(keys=entries, next_marker=marker, truncated=marker is not None)


# ------------------------------------------------------------- switching and describing keys


def _change(call: Call, operation_name: str, target: Target, **changes: Any) -> None:
    key = target.found
    check_state(operation_name, key.state, key.arn)
    call.tx.put(KEYS, key_place(key), msgspec.structs.replace(key, **changes))


@operation("EnableKey", targets=on_key("EnableKey"), changes=True)
def enable_key(call: Call, _request: wire.EnableKeyRequest, target: Target) -> None:
    """Allow cryptographic operations with the key."""
    key = target.found
    check_state("EnableKey", key.state, key.arn)
    key = resume_rotation(call.tx, key, call.now)
    call.tx.put(KEYS, key_place(key), msgspec.structs.replace(key, state=KeyState.ENABLED))


def _disable_targets(call: Call, request: wire.DisableKeyRequest) -> tuple[Target, ...]:
    target = named_key(call, "kms:DisableKey", request.key_id or "", aliases=False, cross_account=False)
    unused = {"kms:TrailingDaysWithoutKeyUsage": trailing_days(call, target.found)}
    return (msgspec.structs.replace(target, facts=unused),)


@operation("DisableKey", targets=_disable_targets, changes=True)
def disable_key(call: Call, _request: wire.DisableKeyRequest, target: Target) -> None:
    """Refuse cryptographic operations with the key."""
    _change(call, "DisableKey", target, state=KeyState.DISABLED)


@operation("UpdateKeyDescription", targets=on_key("UpdateKeyDescription"), changes=True)
def update_key_description(call: Call, request: wire.UpdateKeyDescriptionRequest, target: Target) -> None:
    """Replace the key's description."""
    _change(call, "UpdateKeyDescription", target, description=request.description or "")


OPERATIONS = (create_key, describe_key, list_keys, enable_key, disable_key, update_key_description)
