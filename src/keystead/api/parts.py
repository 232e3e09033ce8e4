"""What the pipeline works with: the parts that it is put together from, and one run of one request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from keystead import errors
from keystead.api.analyzed import Sources
from keystead.api.attestation import AttestationTrust
from keystead.api.authenticate import Authenticator
from keystead.api.call import Call, Relations, Target
from keystead.api.decisions import Decisions
from keystead.api.holdings import Holdings
from keystead.api.limits import Quotas
from keystead.api.objectstore import ObjectStore
from keystead.api.outside import Outside
from keystead.api.pool import FairPool
from keystead.api.rates import Rates
from keystead.api.receipts import Receipts
from keystead.api.routing import Route
from keystead.api.service import Service
from keystead.api.trails import Trails
from keystead.api.usage import UsageTracker
from keystead.audit.commit import Committer
from keystead.audit.told import Record
from keystead.clock import Clock
from keystead.entropy import Entropy
from keystead.keyring import Keyring
from keystead.storage import Store, Transaction
from keystead.wire import sigv4
from keystead.wire.http import Request, Response

Done = Callable[[Response], None]
"""Takes the one answer to a request."""


def nobody(_response: Response) -> None:
    """Where a call of this process has its HTTP answer: nowhere."""


class Parts(msgspec.Struct, frozen=True):
    """What a pipeline is put together from."""

    services: Mapping[str, Service]
    store: Store
    committer: Committer
    keyring: Keyring
    authenticator: Authenticator
    usage: UsageTracker
    clock: Clock
    wall: Clock
    """What signatures are dated by: the host's clock, also where `clock` is moved by hand."""
    entropy: Entropy
    pool: FairPool
    bodies: FairPool
    """Threads that wait for bodies of requests, and for what is done with them."""
    forms: FairPool
    """Threads that wait for the fields of forms: nobody knows who sends them yet, so they are kept from the others."""
    objects: ObjectStore
    rates: Rates
    quotas: Quotas
    relations: Relations
    attestation: AttestationTrust
    decisions: Decisions
    trails: Trails
    analyzed: Sources
    holdings: tuple[Holdings, ...]
    outside: Outside
    receipts: Receipts
    changed: Callable[[], None]
    """Called on the loop's thread after each durable change, before its answer."""
    count: Callable[[str, str, str, float], None]
    """Called with service, operation, outcome (an error code, or `ok`) and seconds of each call."""
    tick: Callable[[], float]
    """Seconds that never go back, for durations."""
    trace: Callable[[str, str, str, float, str, Mapping[str, str]], None] | None = None
    """Called likewise, with the request's id and headers besides, where calls are traced."""
    regions: frozenset[str] = frozenset()
    """The Regions that are served; empty means any."""
    domains: tuple[str, ...] = ()
    """Hosts before which the name of a bucket may stand."""


Settled = Callable[[Any, errors.ApiError | None], None]
"""Called once with the answer, or with the error instead."""


class Turn(msgspec.Struct, frozen=True, gc=False):
    """When requests that came together are looked at.

    `started` is by `Parts.tick`, `now` by the service's clock, `wall` by the host's.
    """

    started: float
    now: float
    wall: float


class Attempt(msgspec.Struct, gc=False, eq=False):
    """One run of one request; a conflict makes another.

    A call that a service makes for a caller has no HTTP request: its input is given, and `settled` and
    `again` take what otherwise is answered and started anew.

    Attributes:
        records: its events, once they are made.
        tx: what it changes, once that is to be made durable with them; None if it changes nothing.
        error: why it failed, and then nothing else counts.
    """

    request: Request | None
    done: Done
    route: Route
    call: Call
    claim: sigv4.Claim | None
    number: int
    started: float
    input: Any = None
    targets: tuple[Target, ...] = ()
    settled: Settled | None = None
    again: Callable[[int], None] | None = None
    answer: Any = None
    records: tuple[Record, ...] = ()
    tx: Transaction | None = None
    error: errors.ApiError | None = None


Step = Callable[[Iterator[Attempt], list[Attempt]], None]
"""Takes each attempt that comes; those that do not go on to the next step, but have not failed, it adds to the list."""
