"""Events of calls that are alike: what they have in common is encoded once, what differs is put between.

Most calls use a key and succeed. The events of such calls of one caller, with one client and one key, differ in their
time, ids and parameters only. A stencil is the event of one of them, cut where these stand; it is made by what makes
every other event (`event.written`), so that both have one form.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from threading import Lock
from typing import Any, Final

import msgspec

from keystead.audit.event import event_time, written
from keystead.audit.form import EventContext, Resource
from keystead.audit.parameters import Encode
from keystead.audit.redact import Redaction, redaction
from keystead.audit.told import Told, told
from keystead.wire.model import Shape

LONGEST: Final = 4096
"""Bytes that a stencil has at most: many are kept, and callers choose what their clients are called."""
MOST: Final = 2048
"""How many are kept."""

_TIME, _ASKED, _REQUEST_ID, _EVENT_ID = "<time>", "<asked>", "<request id>", "<event id>"
_CUTS: Final = (b"<time>", b'"<asked>"', b"<request id>", b"<event id>")
"""In the order of the members; parameters take the place of a text with its quotes."""

RESOURCE, MATERIAL = "<resource>", "<material>"
"""What stands in a mould for the key's ARN and for the id of its material."""

_encode: Final = msgspec.json.Encoder().encode


_Form = tuple[int, type[Shape], str, Encode, str, str, bytes]
"""Of events of one second and requests of one shape: what stands before the parameters, what writes these, what follows."""


class Stencil:
    """The events of calls that differ in nothing but their time, ids and parameters. Any thread may use it."""

    __slots__ = ("_begun", "_now", "_parts", "_show")

    def __init__(self, show: Redaction, parts: Sequence[str]) -> None:
        self._show = show
        self._parts = parts
        self._now: _Form = (-1, Shape, "", _encode, "", "", b"")
        self._begun = ("", b"", b"")

    def event(self, time: float, request: Shape, request_id: str, event_id: str) -> Told:
        """The event of a call at `time` (epoch seconds), cut at its ids."""
        seconds, shape, dated, encode, before, between, after = self._now
        if seconds != int(time) or type(request) is not shape:
            self._now = form = self._form(
                int(time), type(request)
            )  # one value: other threads may do the same
            _, _, dated, encode, before, between, after = form
        asked = encode(request)
        now, same, begin = self._begun  # one value, as above
        if same != asked or now is not dated:
            begin = f"{dated}{asked.decode()}{before}".encode()
            if len(asked) <= LONGEST:  # many stencils are kept, and callers choose their parameters
                self._begun = dated, asked, begin
        return told(begin, f"{request_id}{between}{event_id}".encode(), after)

    def of_key(self, resource: str, material: str | None) -> Stencil | None:
        """That of the same calls with the key of this ARN, whose material that is, if this is a mould: made for `RESOURCE`.

        None if it is none: if something that the caller chose looks like what is to be replaced, or if it is made too long.
        """
        marks = [(RESOURCE, resource)] if material is None else [(RESOURCE, resource), (MATERIAL, material)]
        parts = self._parts
        for mark, text in marks:
            if sum([part.count(mark) for part in parts]) != 1:
                return None
            shown = _encode(text).decode()[1:-1]
            parts = [part.replace(mark, shown) for part in parts]
        return Stencil(self._show, parts) if sum(map(len, parts)) <= LONGEST else None

    def _form(self, seconds: int, shape: type[Shape]) -> _Form:
        first, second, before, between, after = self._parts
        dated = first + event_time(seconds) + second
        return seconds, shape, dated, self._show.encoding(shape), before, between, after.encode()


def stencil(
    context: EventContext,
    service: str,
    operation: str,
    resources: Sequence[Resource],
    additional: Mapping[str, Any] | None,
) -> Stencil | None:
    """That of calls that succeed; arguments are as for `event.call_event`, and time and ids of `context` do not count.

    None for an operation whose event shows something of the answer, or where an event holds what looks like a cut.

    Raises:
        KeyError: there is no rule for the operation.
    """
    show = redaction(service, operation)
    marked = msgspec.structs.replace(context, request_id=_REQUEST_ID, event_id=_EVENT_ID)
    event = _encode(
        written(marked, show, operation, _TIME, _ASKED, None, resources=resources, additional=additional)
    )
    if not show.silent or len(event) > LONGEST or any(event.count(cut) != 1 for cut in _CUTS):
        return None
    parts = []
    for cut in _CUTS:
        part, _, event = event.partition(cut)
        parts.append(part.decode())
    return Stencil(show, (*parts, event.decode()))


class Stencils:
    """Those that are kept, by what their events have alike; None where there can be none. Any thread may use them."""

    def __init__(self) -> None:
        self.kept: dict[Hashable, Stencil | None] = {}
        self._lock = Lock()

    def put(self, alike: Hashable, made: Stencil | None) -> Stencil | None:
        """`made`, which is kept from now on; of too many the oldest goes."""
        with self._lock:
            if len(self.kept) >= MOST:
                self.kept.pop(next(iter(self.kept)))
            self.kept[alike] = made
        return made
