"""ScheduleKeyDeletion and CancelKeyDeletion, and the deletion itself when its date has come.

Source: AWS KMS Developer Guide, "Delete an AWS KMS key" and "Delete multi-Region keys".
"""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.schedule import DueCall, DueEvent, put_due
from keystead.api.usage import LAST_USE
from keystead.keyring import Keyring
from keystead.keys import Key, KeyState
from keystead.keys.importing import lacks_material
from keystead.keys.multiregion import has_replicas
from keystead.keys.rotation import DAY
from keystead.keys.state import check_state
from keystead.services.kms.aliases import delete_aliases_of
from keystead.services.kms.events import service_event
from keystead.services.kms.grants import delete_grants_of
from keystead.services.kms.relatives import mature, place_all, relatives, store_key
from keystead.services.kms.tables import KEYS, key_place
from keystead.services.kms.targets import named_key, on_key
from keystead.services.kms.usage import trailing_days
from keystead.storage import Transaction
from keystead.wire.models import kms as wire

DUE = "delete-key"

SHORTEST_WINDOW, LONGEST_WINDOW = 7, 30
DEFAULT_WINDOW = 30
"""Days."""

_replace = msgspec.structs.replace

# ------------------------------------------------------------------- ScheduleKeyDeletion


def _window(request: wire.ScheduleKeyDeletionRequest) -> int:
    days = request.pending_window_in_days
    return DEFAULT_WINDOW if days is None else days


def _schedule_targets(call: Call, request: wire.ScheduleKeyDeletionRequest) -> tuple[Target, ...]:
    facts: dict[str, str | list[str]] = {"kms:ScheduleKeyDeletionPendingWindowInDays": str(_window(request))}
    target = named_key(
        call, "kms:ScheduleKeyDeletion", request.key_id or "", aliases=False, cross_account=False, facts=facts
    )
    facts["kms:TrailingDaysWithoutKeyUsage"] = trailing_days(call, target.found)
    return (target,)


def _check_window(days: int) -> None:
    # The API model allows 1 to 365; the service does not.
    limit = "greater than or equal to 7" if days < SHORTEST_WINDOW else "less than or equal to 30"
    if not SHORTEST_WINDOW <= days <= LONGEST_WINDOW:
        raise errors.Validation(
            f"1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint: "
            f"Member must have value {limit}"
        )


def start_window(tx: Transaction, key: Key, days: int, now: float) -> Key:
    """The key, stored as pending deletion in `days` days."""
    date = now + days * DAY
    put_due(tx, date, DUE, key_place(key))
    return store_key(
        tx, _replace(key, state=KeyState.PENDING_DELETION, deletion_date=date, pending_window_days=days)
    )


def _wait_for_replicas(tx: Transaction, key: Key, days: int) -> Key:
    return store_key(tx, _replace(key, state=KeyState.PENDING_REPLICA_DELETION, pending_window_days=days))


@operation("ScheduleKeyDeletion", targets=_schedule_targets, changes=True)
def schedule_key_deletion(
    call: Call, request: wire.ScheduleKeyDeletionRequest, target: Target
) -> wire.ScheduleKeyDeletionResponse:
    """Have the key deleted after a waiting period; a primary key waits for its replicas' deletion first."""
    key, days = target.found, _window(request)
    _check_window(days)
    check_state("ScheduleKeyDeletion", key.state, key.arn)
    if has_replicas(key):
        key = _wait_for_replicas(call.tx, key, days)
    else:
        key = start_window(call.tx, key, days, call.now)
    return wire.ScheduleKeyDeletionResponse(
        key_id=key.arn, deletion_date=key.deletion_date, key_state=key.state, pending_window_in_days=days
    )


# --------------------------------------------------------------------- CancelKeyDeletion


@operation("CancelKeyDeletion", targets=on_key("CancelKeyDeletion"), changes=True)
def cancel_key_deletion(
    call: Call, _request: wire.CancelKeyDeletionRequest, target: Target
) -> wire.CancelKeyDeletionResponse:
    """Keep the key after all: disabled, or still without its imported material."""
    key = target.found
    check_state("CancelKeyDeletion", key.state, key.arn)
    state = KeyState.PENDING_IMPORT if lacks_material(key) else KeyState.DISABLED
    store_key(call.tx, _replace(key, state=state, deletion_date=None, pending_window_days=None))
    return wire.CancelKeyDeletionResponse(key_id=key.arn)


# -------------------------------------------------------------------------- the deletion


def delete_key(keyring: Keyring, call: DueCall, subject: str) -> list[DueEvent]:
    """Delete the key at `subject` with all that belongs to it, if its date has come."""
    key = call.tx.get(KEYS, subject)
    if key is None or key.deletion_date is None or key.deletion_date > call.now:
        return []
    for material in key.materials:
        keyring.destroy(call.tx, key.path, material.id)
    delete_aliases_of(call.tx, key)
    delete_grants_of(call.tx, key)
    related = relatives(call.tx, key)
    call.tx.delete(LAST_USE, subject)
    call.tx.delete(KEYS, subject)
    call.tx.bump(f"{key.account}/{key.region}/keys", -1)
    _leave(keyring, call, key, related)
    return [service_event("DeleteKey", key)]


def _leave(keyring: Keyring, call: DueCall, replica: Key, related: list[Key]) -> None:
    """Take a deleted replica out of its set; a primary that waited for the last one starts its window."""
    if replica.multi_region is None or not related:
        return
    primary_region = replica.multi_region.primary
    left = tuple(region for region in replica.multi_region.replicas if region != replica.region)
    place_all(call.tx, related, primary_region, left)
    primary = call.tx.get(KEYS, f"{replica.account}/{primary_region}/{replica.id}")
    if primary is None:
        return
    if primary.state == KeyState.PENDING_REPLICA_DELETION and not left:
        start_window(call.tx, primary, primary.pending_window_days or DEFAULT_WINDOW, call.now)
        return
    mature(call.tx, keyring, primary)


OPERATIONS = (schedule_key_deletion, cancel_key_deletion)
