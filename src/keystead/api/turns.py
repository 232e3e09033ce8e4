"""Which request is handled next: clients take turns, so that one that asks much does not keep the others waiting.

Requests that arrive in one turn of the event loop are put into lanes, one for each client, and handled from
the next turn on. Who calls is known only after the signature was verified, which is most of the work;
so a lane is what can be seen at once: the access key id that is claimed and the address that it comes from. Who
claims another's id from elsewhere does not get into the other's lane. When too many wait, those of the
longest lane are told to come again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from keystead.api.lanes import Lanes
from keystead.audit.gathering import Company
from keystead.wire.http import Handler, Request, Response

log = structlog.get_logger("keystead.turns")

ALONE: Final = 64
"""Requests handled in one turn of the loop while there is one client only: large groups are made durable at once."""
TOGETHER: Final = 32
"""The same while there are several: an answer waits for what is handled in the same turn, and costs less in a larger one."""
BEHIND: Final = 4
"""The same of requests that had to wait for others of their client: who comes meanwhile waits for so many at most."""
SHARED: Final = 512
"""Turns for which several clients are expected after there were: one that waits for its answers is seldom in a lane."""
# An access key id has at most 128 characters; a longer claim is nobody's.
_CLAIM: Final = re.compile("Credential=([^/%]{0,128})").search
_PRESIGNED: Final = re.compile("X-Amz-Credential=([^/%]{0,128})").search
_NOBODY: Final = "\n"
"""What no header begins with."""

Done = Callable[[Response], None]
Waiting = tuple[Request, Done]


class Turns:
    """Hands requests on to `handle`, as many together as may be, and to `refuse` one for which there is no room.

    Both are called on the event loop's thread.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[Waiting]], None],
        refuse: Handler,
        call_soon: Callable[[Callable[[], None]], object],
        most: int,
    ) -> None:
        self._handle = handle
        self._refuse = refuse
        self._call_soon = call_soon
        self._lanes: Lanes[Waiting] = Lanes(most)
        self._going = False
        self._overloaded = False
        self._last = ""
        # How the header of whoever is in the lane `_last` begins, and whence: it is told by these alone next time.
        self._claim = _NOBODY
        self._peer = ""
        self._shared = 0  # turns left in which several clients are expected
        self._company = Company()

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._lanes)

    @property
    def coming(self) -> bool | None:
        """Whether requests wait, which are handled within few turns; None where several clients are expected."""
        return None if self._shared else bool(self._lanes)

    def handle(self, request: Request, done: Done) -> None:
        """None; `request` is handled, or refused, when it is its turn."""
        if request.peer != self._peer or not request.headers.get("authorization", "").startswith(self._claim):
            self._look_at(request)
        given_up = self._lanes.put(self._last, (request, done))
        if given_up is not None:
            self._give_up(*given_up)
        if not self._going:
            self._going = True
            self._call_soon(self._look_again)

    def _look_at(self, request: Request) -> None:
        lane = lane_of(request)
        if lane != self._last:
            self._shared = SHARED if self._last else 0
            self._last = lane
        self._peer, self._claim = request.peer, claim_of(request) or _NOBODY

    def _look_again(self) -> None:
        """None; for one client alone the sockets are read until all are there who are to be expected, or nobody comes.

        What comes together costs less each, and who waits for the same sync is answered at the same time.
        """
        if self._shared or self._company.all_there(len(self._lanes)):
            self._go()
        else:
            self._call_soon(self._look_again)

    def _go(self) -> None:
        lanes = self._lanes
        if self._shared:
            self._shared -= 1
        if not self._shared:
            count = min(len(lanes), ALONE)
            self._company.begin(count)
        elif lanes.fresh:  # whoever asks little does not even wait for what is handled in the same turn
            count = min(lanes.fresh, TOGETHER)
        else:
            count = min(len(lanes), BEHIND)
        try:
            self._handle(lanes.take(count))
        finally:  # a defect is the loop's to report; whoever comes next is handled all the same
            if lanes:
                self._call_soon(self._look_again)
            else:
                self._going = self._overloaded = False

    def _give_up(self, request: Request, done: Done) -> None:
        if not self._overloaded:
            self._overloaded = True
            log.warning("overloaded: requests are refused", waiting=len(self._lanes), lanes=self._lanes.count)
        self._refuse(request, done)


def lane_of(request: Request) -> str:
    """What tells clients apart before anybody knows who they are."""
    signed = request.headers.get("authorization")
    claim = _PRESIGNED(request.target) if signed is None else _CLAIM(signed)
    return request.peer if claim is None else f"{request.peer} {claim[1]}"


def claim_of(request: Request) -> str:
    """How the Authorization header begins, up to the end of a claim: what begins so claims the same; empty without one."""
    signed = request.headers.get("authorization", "")
    claim = _CLAIM(signed)
    return "" if claim is None or not signed.startswith("/", claim.end()) else signed[: claim.end() + 1]
