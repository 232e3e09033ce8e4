"""Related multi-Region keys: read together, and changed in the same transaction."""

from __future__ import annotations

from keystead.keyring import Keyring
from keystead.keys import Key
from keystead.keys.key import AWS_KMS
from keystead.keys.multiregion import is_replica, matured, other_regions, placed, synchronized
from keystead.services.kms.tables import KEYS, key_place
from keystead.storage import Transaction


def store_key(tx: Transaction, key: Key) -> Key:
    """The key, stored over the one that was at its place."""
    tx.put(KEYS, key_place(key), key)
    return key


def key_in(tx: Transaction, key: Key, region: str) -> Key | None:
    """The related key of `key` in that Region."""
    return tx.get(KEYS, f"{key.account}/{region}/{key.id}")


def relatives(tx: Transaction, key: Key) -> list[Key]:
    """The other keys of the multi-Region key's set; none for a single-Region key."""
    found = (key_in(tx, key, region) for region in other_regions(key))
    return [related for related in found if related is not None]


def place_all(tx: Transaction, keys: list[Key], primary: str, replicas: tuple[str, ...]) -> None:
    """Have each of the keys name the same primary and replicas."""
    for key in keys:
        store_key(tx, placed(key, primary, replicas))


def spread(tx: Transaction, keyring: Keyring, primary: Key) -> list[Key]:
    """Store a primary (or single-Region) key and give its replicas what they share; the changed replicas."""
    store_key(tx, primary)
    return [_follow(tx, keyring, replica, primary) for replica in relatives(tx, primary)]


def _follow(tx: Transaction, keyring: Keyring, replica: Key, primary: Key) -> Key:
    followed = synchronized(replica, primary)
    had, has = {m.id for m in replica.materials}, {m.id for m in followed.materials}
    for gone in had - has:
        keyring.destroy(tx, replica.path, gone)
    if primary.origin == AWS_KMS:
        for new in has - had:
            keyring.copy(tx, primary.path, replica.path, primary.spec, new, primary.wrapped(new))
    return store_key(tx, followed)


def mature(tx: Transaction, keyring: Keyring, key: Key) -> None:
    """Free the set's waiting material for rotation if the last replica now has it.

    `key` is any key of the set, as stored by this transaction.
    """
    related = relatives(tx, key)
    primary = next((k for k in (key, *related) if not is_replica(k)), None)
    if primary is None:
        return
    replicas = [k for k in (key, *related) if is_replica(k)]
    ready = matured(primary, replicas)
    if ready is not primary:
        spread(tx, keyring, ready)
