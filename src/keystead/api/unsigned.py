"""Requests that carry no signature: how an operation says who calls, from what the request itself proves.

A web identity token or a client certificate stands in the place of a signature. Checking it may take as
long as another machine's answer does, so it happens in threads of its own: neither the event loop nor the
threads of slow operations wait for an identity provider.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from keystead.api.outside import Outside
from keystead.identity import Caller
from keystead.policy import Principal
from keystead.storage import Transaction
from keystead.wire.http import Request


class Unsigned(msgspec.Struct, frozen=True):
    """An unsigned request as its operation sees it; `wall` is the host's time in epoch seconds."""

    request: Request
    tx: Transaction
    wall: float
    outside: Outside


class Proof(Protocol):
    """What a request has proved, for its operation."""

    @property
    def evidence(self) -> Mapping[str, Any]:
        """What the event tells of it beside the caller (`additionalEventData`); nothing secret."""
        ...


class Identified(msgspec.Struct, frozen=True):
    """Who calls, as events and as policies see it; `proof` is what the operation wants to know again later."""

    caller: Caller
    principal: Principal
    proof: Proof


Identify = Callable[[Unsigned, Any], Identified]
"""Who calls, by an unsigned request and its decoded input; raises `errors.ApiError` if it is nobody."""
