"""Which operations of KMS change who may use a key, and what they change: for the account's guard."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from keystead import arn
from keystead.analysis import effective
from keystead.analysis.questions.change import Change
from keystead.api import Call, Operation, Target
from keystead.api.authorize import as_grant, key_policy
from keystead.api.guarding import Changed, Changes, guarded, zone_of
from keystead.api.guardrails import place_of
from keystead.api.guards import Guard
from keystead.api.people import people
from keystead.api.reading import Reading
from keystead.keys import Key
from keystead.keys.grant import Grant
from keystead.services.kms.tables import GRANTS, KEYS, key_place
from keystead.storage import Transaction


def guard_of(operation: Operation) -> Operation:
    """The operation, with the guard behind it if it changes who may use a key."""
    changes = _CHANGES.get(operation.name)
    return operation if changes is None else guarded(operation, changes)


def analyzed(tx: Transaction, key: Key) -> effective.Key:
    """The key as the analysis takes it, with its grants as they are when the transaction commits."""
    return effective.Key(
        arn=key.arn,
        account=key.account,
        policy=key_policy(key),
        grants=tuple(as_grant(grant) for grant in _grants(tx, key)),
        resource_control=place_of(Reading(tx), key.account).control,
        tags=key.tags,
    )


def _grants(tx: Transaction, key: Key) -> Iterator[Grant]:
    prefix = f"{key_place(key)}/"
    yield from (grant for _, grant in tx.scan(GRANTS, prefix))
    for (table, place), write in tx.writes.items():
        if table == GRANTS.name and place.startswith(prefix) and isinstance(write.record, Grant):
            yield write.record


def _change(call: Call, guard: Guard, before: Key | None, after: Key) -> Change:
    everybody = people(call.tx, after.account)
    return Change(
        before=None if before is None else analyzed(call.tx.anew(), before),
        after=analyzed(call.tx, after),
        people_before=everybody,
        people_after=everybody,
        zone=zone_of(call.tx, guard, after.account),
    )


def _changed(call: Call, guard: Guard, before: Key | None, after: Key | None) -> Iterator[Changed]:
    if after is not None:
        yield Changed(before, after, partial(_change, call, guard, before, after))


def _on_key(
    call: Call, targets: tuple[Target, ...], _answer: Any, guard: Guard, _account: str
) -> Iterator[Changed]:
    """The key that the call is about."""
    before = targets[0].found
    return _changed(call, guard, before, call.tx.get(KEYS, key_place(before)))


def _made(
    call: Call, _targets: tuple[Target, ...], answer: Any, guard: Guard, _account: str
) -> Iterator[Changed]:
    """The key that the call has made."""
    shown = getattr(answer, "key_metadata", None) or answer.replica_key_metadata
    parts = arn.parse(shown.arn)
    return _changed(call, guard, None, call.tx.get(KEYS, f"{parts.account}/{parts.region}/{shown.key_id}"))


_CHANGES: Final[dict[str, Changes]] = {
    "CreateGrant": _on_key,
    "CreateKey": _made,
    "PutKeyPolicy": _on_key,
    "ReplicateKey": _made,
    "TagResource": _on_key,
    "UntagResource": _on_key,
}
