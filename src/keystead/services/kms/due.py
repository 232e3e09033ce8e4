"""The handlers of all work of this service that falls due, by the kind of their rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from keystead.api.schedule import DueCall, DueEvent, Handlers
from keystead.keyring import Keyring
from keystead.services.kms import deletion, importing, managed_keys, multiregion, rotation
from keystead.services.kms.tables import DUE_ROTATION

HANDLERS: dict[str, Callable[[Keyring, DueCall, str], list[DueEvent]]] = {
    deletion.DUE: deletion.delete_key,
    importing.DUE: importing.expire_material,
    managed_keys.DUE_RECORD: managed_keys.record_creation,
    DUE_ROTATION: rotation.rotate_key,
    rotation.DUE_ANNOUNCEMENT: rotation.record_rotation,
    multiregion.DUE_CREATION: multiregion.finish_replica,
    multiregion.DUE_UPDATE: multiregion.finish_update,
}


def handlers(keyring: Keyring) -> Handlers:
    """Every handler, with the key ring that it works on."""
    return {kind: partial(handler, keyring) for kind, handler in HANDLERS.items()}
