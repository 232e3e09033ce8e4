"""KeyMetadata: how a key is shown.

Which members are absent, and when, is AWS's behaviour as recorded: an empty list or a null is never sent.
"""

from __future__ import annotations

from keystead import arn
from keystead.keys import Key, KeyState
from keystead.keys import spec as specs
from keystead.keys.importing import first_expiry
from keystead.wire.models import kms as wire

_ALGORITHM_MEMBER = {
    specs.ENCRYPT_DECRYPT: "encryption_algorithms",
    specs.SIGN_VERIFY: "signing_algorithms",
    specs.GENERATE_VERIFY_MAC: "mac_algorithms",
    specs.KEY_AGREEMENT: "key_agreement_algorithms",
    specs.ENCAPSULATE_DECAPSULATE: "encapsulation_algorithms",
}


def algorithm_members(key: Key) -> dict[str, list[str]]:
    """The one algorithms member that fits the key's usage."""
    return {_ALGORITHM_MEMBER[key.usage]: list(key.algorithms)}


def key_metadata(key: Key) -> wire.KeyMetadata:
    """The metadata that DescribeKey, CreateKey and ReplicateKey answer."""
    expiry = first_expiry(key)
    waiting = key.state == KeyState.PENDING_REPLICA_DELETION
    return wire.KeyMetadata(
        aws_account_id=key.account,
        key_id=key.id,
        arn=key.arn,
        creation_date=key.created,
        enabled=key.state in {KeyState.ENABLED, KeyState.UPDATING},
        description=key.description,
        key_usage=key.usage,
        key_state=key.state,
        deletion_date=key.deletion_date,
        valid_to=None if expiry is None else expiry.valid_to,
        origin=key.origin,
        custom_key_store_id=key.custom_key_store_id,
        expiration_model=None if expiry is None else expiry.model,
        key_manager=key.manager,
        customer_master_key_spec=key.spec,
        key_spec=key.spec,
        multi_region=key.multi_region is not None,
        multi_region_configuration=_multi_region(key),
        pending_deletion_window_in_days=key.pending_window_days if waiting else None,
        xks_key_configuration=wire.XksKeyConfigurationType(id=key.xks_key_id) if key.xks_key_id else None,
        current_key_material_id=_shown_material(key),
        **algorithm_members(key),  # type: ignore[arg-type]  # its keys are list members only
    )


def _shown_material(key: Key) -> str | None:
    # Only symmetric encryption keys show it; a replica has none until it has been created.
    if not key.key_spec.is_encryption_key or key.state == KeyState.CREATING or key.custom_key_store_id:
        return None
    return key.current_id


def _multi_region(key: Key) -> wire.MultiRegionConfiguration | None:
    related = key.multi_region
    if related is None:
        return None

    def member(region: str) -> wire.MultiRegionKey:
        return wire.MultiRegionKey(arn=arn.key_arn(region, key.account, key.id), region=region)

    return wire.MultiRegionConfiguration(
        multi_region_key_type=related.role,
        primary_key=member(related.primary),
        replica_keys=[member(region) for region in related.replicas],
    )
