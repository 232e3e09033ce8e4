"""From a request whose sender is known to the call that operations are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from keystead.api.call import Around, Call, Perform, Via
from keystead.api.standing import Standing
from keystead.storage import Transaction
from keystead.wire.http import Request

if TYPE_CHECKING:
    from keystead.api.parts import Parts
    from keystead.api.routing import Route


class Known(msgspec.Struct, frozen=True):
    """Who sends a request, to which Region, and through whom."""

    standing: Standing
    region: str
    via: Via | None = None


def around_of(parts: Parts, perform: Perform) -> Around:
    """What is the same for all calls of a server that is put together from `parts`."""
    return Around(
        parts.keyring,
        parts.entropy,
        parts.quotas,
        parts.usage,
        parts.relations,
        parts.attestation,
        parts.authenticator.standings,
        perform,
        parts.decisions,
        parts.trails,
        parts.objects,
        parts.analyzed,
        parts.holdings,
    )


def call_of(
    around: Around,
    request: Request,
    route: Route,
    standing: Standing,
    region: str,
    ids: tuple[str, str],
    tx: Transaction,
    now: float,
    via: Via | None = None,
    proof: Any = None,
    overrides: str = "",
) -> Call:
    """The call; `ids` are those of the request and of its event. `proof` and `overrides` are as in `Call`."""
    caller, headers, tls, (request_id, event_id) = standing.caller, request.headers, request.tls, ids
    return Call(
        route.operation,
        caller,
        caller.account,
        standing,
        region,
        now,
        request_id,
        event_id,
        request.peer,
        headers.get("user-agent", ""),
        request.secure,
        tx,
        around.keyring,
        around.entropy,
        around,
        via,
        proof,
        None if tls is None else (*tls, headers.get("host", "")),
        route.exchange,
        overrides,
    )


def lane_of(call: Call) -> str:
    """Who waits for a thread together with this call."""
    return call.caller.access_key_id or call.caller.arn or call.source_ip
