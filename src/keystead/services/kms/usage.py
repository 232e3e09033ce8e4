"""GetKeyLastUsage."""

from __future__ import annotations

from keystead.api import Call, Target, operation
from keystead.api.usage import LAST_USE, LastUse
from keystead.keys import Key
from keystead.keys.rotation import DAY
from keystead.services.kms.tables import key_place
from keystead.services.kms.targets import on_key
from keystead.wire.models import kms as wire


def last_use(call: Call, key: Key) -> LastUse | None:
    """The key's last successful cryptographic operation, None if there was none."""
    known = (call.usage.recent(key_place(key)), call.tx.get(LAST_USE, key_place(key)))
    return max((use for use in known if use is not None), key=lambda use: use.at, default=None)


def trailing_days(call: Call, key: Key) -> str:
    """The value of kms:TrailingDaysWithoutKeyUsage: whole days since the last use, or since creation."""
    use = last_use(call, key)
    return str(int(max(0.0, call.now - (key.created if use is None else use.at)) // DAY))


@operation("GetKeyLastUsage", targets=on_key("GetKeyLastUsage"))
def get_key_last_usage(
    call: Call, _request: wire.GetKeyLastUsageRequest, target: Target
) -> wire.GetKeyLastUsageResponse:
    """Return when the key was last used, for what, and which event records it."""
    key = target.found
    use = last_use(call, key)
    shown = wire.KeyLastUsageData()  # an unused key has an empty object here, not none
    if use is not None:
        shown = wire.KeyLastUsageData(
            operation=use.operation,
            timestamp=use.at,
            cloud_trail_event_id=use.event_id,
            kms_request_id=use.request_id,
        )
    return wire.GetKeyLastUsageResponse(
        key_id=key.id, key_last_usage=shown, tracking_start_date=key.created, key_creation_date=key.created
    )


OPERATIONS = (get_key_last_usage,)
