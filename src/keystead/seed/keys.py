"""Keys of a seed: fixed ids, aliases, and material where it is given."""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.crypto.spec import KEY_TYPES
from keystead.keyring import Keyring
from keystead.keys import Key, KeyState
from keystead.keys import key as keys
from keystead.keys import spec as specs
from keystead.keys.alias import Alias, check_alias_name
from keystead.keys.identifiers import is_key_id
from keystead.keys.key import Material, MultiRegion
from keystead.keys.tags import check_new_tags
from keystead.policy import default_key_policy
from keystead.seed.file import SeedKey
from keystead.seed.identities import text_of
from keystead.services.kms.lending import with_fresh_material
from keystead.services.kms.policies import CheckedPolicy, bound_policy
from keystead.services.kms.tables import ALIASES, KEYS, key_place
from keystead.storage import Transaction


def put_key(tx: Transaction, keyring: Keyring, account: str, given: SeedKey, now: float) -> None:
    """None; the key is there with its aliases. One that is there already stays as it is.

    Raises:
        errors.ApiError, errors.CryptoError: a value cannot be used.
    """
    if not is_key_id(given.id) or given.id != given.id.lower():
        raise errors.Validation("a key id is a UUID in lower case with dashes, or mrk- and 32 hex digits")
    if tx.get(KEYS, f"{account}/{given.region}/{given.id}") is None:
        _new_key(tx, keyring, account, given, now)
    for name in given.aliases:
        check_alias_name(name)
        place = f"{account}/{given.region}/{name}"
        if tx.get(ALIASES, place) is None:
            tx.put(ALIASES, place, Alias(name=name, target=given.id, created=now, updated=now))


def _new_key(tx: Transaction, keyring: Keyring, account: str, given: SeedKey, now: float) -> None:
    spec = specs.KEY_SPECS.get(given.spec)
    if spec is None:
        raise errors.Validation(f"unknown or unsupported key spec {given.spec}")
    policy = _policy(tx, given, account)
    key = Key(
        account=account,
        region=given.region,
        id=given.id,
        spec=spec.name,
        usage=specs.check_usage(spec, given.usage),
        origin=keys.AWS_KMS,
        state=KeyState.ENABLED,
        created=now,
        policy=policy.text,
        principals=policy.principals,
        description=given.description,
        tags=check_new_tags(given.tags.items()),
        multi_region=MultiRegion(role=keys.PRIMARY, primary=given.region)
        if given.id.startswith("mrk-")
        else None,
    )
    if given.material is None:
        key, material_id = with_fresh_material(tx, keyring, key)
    else:
        material_id = keyring.adopt(tx, key.path, spec.name, KEY_TYPES[spec.name].check(given.material))
    tx.put(KEYS, key_place(key), msgspec.structs.replace(key, materials=(Material(id=material_id),)))
    tx.bump(f"{account}/{given.region}/keys", 1)


def _policy(tx: Transaction, given: SeedKey, account: str) -> CheckedPolicy:
    if given.policy is None:
        return CheckedPolicy(default_key_policy(account))
    return bound_policy(tx, text_of(given.policy))
