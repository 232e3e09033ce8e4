"""From a request whose sender is known to the call that operations are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from keystead.api.call import Call, Perform, Via
from keystead.api.standing import Standing
from keystead.storage import Transaction
from keystead.wire.http import Request

if TYPE_CHECKING:
    from keystead.api.parts import Parts
    from keystead.api.routing import Route


class Known(msgspec.Struct, frozen=True):
    """Who sends a request, to which Region, through whom, and what an unsigned request has proved.

    `overrides` is as in `Call`.
    """

    standing: Standing
    region: str
    via: Via | None = None
    proof: Any = None
    overrides: str = ""


def call_of(
    parts: Parts,
    perform: Perform,
    request: Request,
    route: Route,
    who: Known,
    ids: tuple[str, str],
    tx: Transaction,
    now: float,
) -> Call:
    """The call; `ids` are those of the request and of its event."""
    return Call(
        route.operation,
        who.standing.caller,
        who.standing.caller.account,
        who.standing,
        who.region,
        now,
        *ids,
        request.peer,
        request.headers.get("user-agent", ""),
        request.secure,
        tx,
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
        who.via,
        who.proof,
        None if request.tls is None else (*request.tls, request.headers.get("host", "")),
        route.exchange,
        parts.objects,
        who.overrides,
        analyzed=parts.analyzed,
        holdings=parts.holdings,
    )


def lane_of(call: Call) -> str:
    """Who waits for a thread together with this call."""
    return call.caller.access_key_id or call.caller.arn or call.source_ip
