"""An operation: one function, with everything the pipeline must know about it as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from keystead.api.call import Call, Target
from keystead.api.unsigned import Identify
from keystead.errors import KeysteadError
from keystead.wire import sigv4
from keystead.wire.http import Request

Perform = Callable[..., Any]
Targets = Callable[[Call, Any], tuple[Target, ...]]
Slow = Callable[[Any, tuple[Target, ...]], bool]


class Also(msgspec.Struct, frozen=True):
    """An operation that took place in `region` as part of another one, and has an event of its own."""

    operation: str
    region: str
    request: Any
    answer: Any


AlsoOf = Callable[[Any, Any], tuple[Also, ...]]
"""Tells from a request and its answer what else took place."""


class UndecidedError(KeysteadError):
    """An operation found nothing that a policy could decide on, and does not say that this is right."""


class Operation(msgspec.Struct, frozen=True):
    """`perform(call, request, *targets)` returns the response struct, or None for an empty answer.

    `changes`: the operation writes, so its event is stored with the change and a replay is refused.
    `slow`: says for a request whether it takes milliseconds and belongs in a thread.
    `tracks_use`: a success counts for GetKeyLastUsage of every key target.
    `identify`: its requests are not signed, and this says who calls; see `api.unsigned`.
    `certified`: the same for requests that come with a client certificate and without a signature.
    `also`: what else a success brought about, for the audit record.
    `undecided`: why no policy has a say in it, empty if one always has.
    `brief`: an operation of S3 that is tried on the event loop; what waits in it asks `waiting.Home` first.
    """

    name: str
    perform: Perform
    targets: Targets
    changes: bool
    slow: Slow
    tracks_use: bool
    identify: Identify | None = None
    also: AlsoOf | None = None
    certified: Identify | None = None
    undecided: str = ""
    brief: bool = False

    def nothing(self) -> tuple[()]:
        """What is to be decided where nothing was found to be acted on.

        Raises:
            UndecidedError: it is not declared that this is right: a defect, and so a refusal.
        """
        if not self.undecided:
            raise UndecidedError(self.name)
        return ()

    def identifying(self, request: Request) -> Identify | None:
        """What says who calls by this request, None if its signature must."""
        if self.certified is not None and request.certificate and not sigv4.signed(request):
            return self.certified
        return self.identify


def never(_request: Any, _targets: tuple[Target, ...]) -> bool:
    """An operation that always takes microseconds."""
    return False


def always(_request: Any, _targets: tuple[Target, ...]) -> bool:
    """An operation that always takes milliseconds."""
    return True


def operation(
    name: str,
    *,
    targets: Targets,
    changes: bool = False,
    slow: Slow = never,
    tracks_use: bool = False,
    identify: Identify | None = None,
    also: AlsoOf | None = None,
    certified: Identify | None = None,
    undecided: str = "",
    brief: bool = False,
) -> Callable[[Perform], Operation]:
    """A decorator that makes a function the operation called `name`."""

    def wrap(perform: Perform) -> Operation:
        return Operation(
            name, perform, targets, changes, slow, tracks_use, identify, also, certified, undecided, brief
        )

    return wrap
