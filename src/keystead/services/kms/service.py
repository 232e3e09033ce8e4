"""The KMS service: all its chapters put together."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Final

from keystead import arn
from keystead.api.service import service
from keystead.keys import Key
from keystead.keys.grant import Grant
from keystead.keys.identifiers import parse_key_ref
from keystead.keys.key import CUSTOMER
from keystead.services.kms import (
    aliases,
    asymmetric,
    cryptography,
    custom_key_stores,
    datakeys,
    deletion,
    grants,
    importing,
    kem,
    keys,
    mac,
    multiregion,
    policies,
    random,
    reencrypt,
    rotation,
    tags,
    usage,
)
from keystead.services.kms.guard import guard_of
from keystead.services.kms.tables import ALIASES, GRANTS, KEYS, key_place
from keystead.storage import Recent, Store, Transaction
from keystead.wire.models import kms as wire

CHAPTERS = (
    aliases,
    asymmetric,
    cryptography,
    custom_key_stores,
    datakeys,
    deletion,
    grants,
    importing,
    kem,
    keys,
    mac,
    multiregion,
    policies,
    random,
    reencrypt,
    rotation,
    tags,
    usage,
)

_MOST_KEPT: Final = 1024
"""Keys whose grants are kept at hand."""

KMS = service(wire.SERVICE, (guard_of(operation) for chapter in CHAPTERS for operation in chapter.OPERATIONS))


class KeyRelations:
    """Keys with their grants and aliases, for decisions that depend on them."""

    def __init__(self, store: Store) -> None:
        self._view = store.view
        self._kept: Recent[str, tuple[object, tuple[Grant, ...]]] = Recent(_MOST_KEPT)

    def grants(self, tx: Transaction, key: Key) -> tuple[Grant, ...]:
        state, place = self._view.fresh(), key.place
        kept = self._kept.hot.get(place) or self._kept.peek(place)
        if kept is not None and kept[0] is state:
            return kept[1]
        found = tuple(grant for _, grant in tx.scan(GRANTS, f"{place}/"))
        if kept is not None and len(kept[1]) == len(found) and all(map(operator.is_, kept[1], found)):
            found = kept[1]
        self._kept.put(place, (state, found))
        return found

    def aliases(self, tx: Transaction, key: Key) -> tuple[str, ...]:
        found = tx.scan_index(ALIASES, "target", f"{key_place(key)}/")
        return tuple(place.split("/", 2)[2] for _, place in found)

    def key(self, tx: Transaction, key_arn: str) -> Key | None:
        try:
            parts = arn.parse(key_arn)
        except ValueError:
            return None
        kind, _, key_id = parts.resource.partition("/")
        if parts.service != "kms" or kind != "key" or "\0" in key_arn:
            return None
        found = tx.get(KEYS, f"{parts.account}/{parts.region}/{key_id}")
        return found if found is not None and found.arn == key_arn else None

    def keys(self, tx: Transaction, account: str) -> Iterable[Key]:
        return (key for _, key in tx.scan(KEYS, f"{account}/") if key.manager == CUSTOMER)

    def named(self, tx: Transaction, account: str, region: str, key_id: str) -> Key | None:
        ref = parse_key_ref(key_id, account, region)
        found = ref.key_id
        if ref.alias is not None:
            # The store has no place for NUL, which a caller may well send.
            place = f"{ref.account}/{ref.region}/{ref.alias}"
            alias = None if "\0" in ref.alias else tx.get(ALIASES, place)
            found = None if alias is None else alias.target
        return None if found is None else tx.get(KEYS, f"{ref.account}/{ref.region}/{found}")

    def page(self, tx: Transaction, account: str, region: str, after: str, most: int) -> list[Key]:
        place = f"{account}/{region}/"
        rows = tx.scan(KEYS, place, after=f"{place}{after}" if after else None, limit=most)
        return [key for _, key in rows]
