"""Events as the index takes them in: by pieces that many events have alike, each of which is looked at once.

An event is cut by the names of members in the order in which the server writes them (`form.WrittenEvent`): what stands
before its parameters (who called what, when, with what outcome), its parameters, and what stands behind its answer (its account,
what was acted on). Within parameters and answers callers choose names, so a cut there may be wrong: parameters are known to end
where they are whole, and the last piece is looked for from the end. An event of another form is read as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import Any, Final, TypeVar

import msgspec

from keystead.audit.identity import read_identity
from keystead.audit.terms import (
    OF_IAM,
    Affected,
    Word,
    asked_words,
    call_words,
    caller_words,
    pair_term,
    read_event,
    seconds_of,
    short_id,
    short_ids,
    texts_of,
)
from keystead.tlog import Alike, Stretch, events_of
from keystead.tlog.alike import ID

_ASKED, _ANSWERED, _READ_ONLY = b',"requestParameters":', b',"responseElements":', b',"readOnly":'
_EVENT_ID, _SHARED, _CATEGORY = b',"eventID":"', b',"sharedEventID":', b',"eventCategory":'
_ID_BEGIN: Final = ID + 1
_ID_MEMBER: Final = _ID_BEGIN + len(_EVENT_ID)
_MOST: Final = 8192
"""Pieces of a kind that are remembered."""
_CONTEXT = b'ncryptionContext":'
_NAMES: Final = re.compile(f'alias/|"(?:{"|".join(OF_IAM)})":'.encode()).search
"""Where parameters may name something; otherwise they are not read."""
_NEVER: Final = b"\0"
"""With which no event begins or ends."""


class _Called(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The members of an event before its parameters; if there are others the event has not the usual form."""

    eventTime: str  # noqa: N815  CloudTrail's names, here and below
    eventName: str  # noqa: N815
    eventVersion: str = ""  # noqa: N815
    eventSource: str = ""  # noqa: N815
    awsRegion: str = ""  # noqa: N815
    sourceIPAddress: str = ""  # noqa: N815
    userAgent: str = ""  # noqa: N815
    errorCode: str = ""  # noqa: N815
    errorMessage: str = ""  # noqa: N815
    userIdentity: msgspec.Raw = msgspec.Raw(b"{}")  # noqa: N815


class _Affected(Affected, gc=False, kw_only=True, forbid_unknown_fields=True):
    """The members behind its id, as above."""

    eventType: str = ""  # noqa: N815
    serviceEventDetails: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815


class _Asked(msgspec.Struct, gc=False):
    """The encryption contexts among an event's parameters."""

    encryptionContext: dict[str, str] | None = None  # noqa: N815  as above
    sourceEncryptionContext: dict[str, str] | None = None  # noqa: N815
    destinationEncryptionContext: dict[str, str] | None = None  # noqa: N815


_read_called: Final = msgspec.json.Decoder(_Called).decode
_read_contexts: Final = msgspec.json.Decoder(_Asked | None).decode
_read_parameters: Final = msgspec.json.Decoder(dict[str, Any] | None).decode
_read_affected: Final = msgspec.json.Decoder(_Affected).decode

Terms = tuple[int, ...]
Numbers = Callable[[Iterable[Word]], Terms]
Key = TypeVar("Key")
Value = TypeVar("Value")


class Piece:
    """What some events have alike: their terms; and the places of those of them that are being taken in.

    `loose`: another piece of the same event may have one of its terms, too.
    """

    __slots__ = ("loose", "places", "terms")

    def __init__(self, terms: Terms, *, loose: bool = False) -> None:
        self.terms = terms
        self.loose = loose
        self.places: list[int] = []


Call = tuple[int, tuple[Piece, ...]]
"""What stands before an event's parameters: its time in epoch seconds, and its pieces."""
Cut = tuple[int, tuple[Piece, ...], list[int]]
"""The time of an event, or of several, what they are made of, and the short forms of their ids."""


class Pieces:
    """The pieces that were seen; `numbers` gives words their numbers, which must stay as long as this does."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._heads: dict[bytes, Call | None] = {}
        self._middles: dict[bytes, tuple[Piece, ...] | None] = {}
        self._ends: dict[bytes, tuple[Piece, ...] | None] = {}
        self._callers: dict[bytes, Piece] = {}
        self._calls: dict[tuple[str, ...], Piece] = {}
        self._pairs: dict[tuple[str, str], Piece] = {}

    def cut(self, stretches: Sequence[Stretch]) -> list[tuple[int, Cut | None]]:
        """Of how many events in a row, and these; None for what cannot be told apart, so that no other waits for it.

        Those that differ from an earlier one in their ids alone have the pieces of that.
        """
        known = [_known_alike(each) for each in stretches]
        pairs = list(zip(stretches, known, strict=True))
        texts = [[] if alike else events_of(each) for each, alike in pairs]
        apart = iter(self._cut(list(chain.from_iterable(texts))))
        found = list[tuple[int, Cut | None]]()
        first: dict[int, Cut | None] = {}  # by the number of the event
        number = 0
        for alike, events in zip(known, texts, strict=True):
            if alike is None:
                for each in islice(apart, len(events)):
                    found.append((1, each))
                    first[number] = each
                    number += 1
                continue
            like, count = first[alike.like], len(alike.middles)
            shorts = short_ids([middle[-ID:] for middle in alike.middles])
            found.append((count, None if like is None else (*like[:2], shorts)))
            number += count
        return found

    def _cut(self, events: Sequence[bytes]) -> list[Cut | None]:
        """The same of each for itself.

        All events take each step together: what a step uses stays in the processor's caches.
        """
        heads = self._cut_heads(events)
        ends = self._cut_ends(events)
        middles = self._cut_middles(events, heads, ends)
        found = list[Cut | None]()
        for event, (_, called), middle, (last, affected) in zip(events, heads, middles, ends, strict=True):
            if called is None or middle is None or affected is None:
                found.append(self._whole(event))
                continue
            time, pieces = called
            short = short_id(event[last - _ID_BEGIN : last - 1])
            found.append((time, pieces + middle + affected, [short]))
        return found

    def _cut_heads(self, events: Sequence[bytes]) -> list[tuple[int, Call | None]]:
        """Of each event where its parameters begin, and what stands before them."""
        head = _NEVER
        found: tuple[int, Call | None] = 0, None
        heads = list[tuple[int, Call | None]]()
        for event in events:
            if not event.startswith(head):
                end = event.find(_ASKED)
                head = event[: end + len(_ASKED)] if end > 0 else _NEVER
                found = (len(head), _known(self._heads, head, self._call)) if end > 0 else (0, None)
            heads.append(found)
        return heads

    def _cut_middles(
        self,
        events: Sequence[bytes],
        heads: Sequence[tuple[int, Call | None]],
        ends: Sequence[tuple[int, tuple[Piece, ...] | None]],
    ) -> list[tuple[Piece, ...] | None]:
        """What the parameters of each event tell; None where it is not of the usual form."""
        known = self._middles
        middles = list[tuple[Piece, ...] | None]()
        for event, (asked, _), (last, _) in zip(events, heads, ends, strict=True):
            answered = event.find(_ANSWERED, asked)
            if not (0 < asked < answered < last and event.startswith(_EVENT_ID, last - _ID_MEMBER)):
                middles.append(None)
                continue
            written = event[asked:answered]
            middles.append(known[written] if written in known else _known(known, written, self._parameters))
        return middles

    def _cut_ends(self, events: Sequence[bytes]) -> list[tuple[int, tuple[Piece, ...] | None]]:
        """Of each event where the part behind its id begins, and what that tells."""
        behind, affected = _NEVER, None
        ends = list[tuple[int, tuple[Piece, ...] | None]]()
        for event in events:
            if not event.endswith(behind):
                last = event.rfind(_READ_ONLY)
                end = event.find(_SHARED, last)
                if end < 0:  # if there is no category either, the brace at the end is left out
                    end = event.find(_CATEGORY, last)
                behind = event[last:] if last > 0 else _NEVER
                affected = _known(self._ends, event[last:end], self._effect) if last > 0 else None
            ends.append((len(event) - len(behind), affected))
        return ends

    def _whole(self, event: bytes) -> Cut | None:
        try:
            read = read_event(event)
            words = {*read.called_words(), *asked_words(read.requestParameters), *read.affected_words()}
            terms = {*self._numbers(words), *map(pair_term, texts_of(read.requestParameters))}
            return read.time, (Piece(tuple(terms)),), [short_id(read.eventID.encode())]
        except (msgspec.MsgspecError, ValueError):
            return None

    def _call(self, written: bytes) -> Call:
        call = _read_called(written[: -len(_ASKED)] + b"}")
        what = call.eventName, call.eventSource, call.awsRegion, call.errorCode
        caller = _remembered(self._callers, bytes(call.userIdentity), self._caller)
        return seconds_of(call.eventTime), (caller, _remembered(self._calls, what, self._what))

    def _caller(self, written: bytes) -> Piece:
        return Piece(self._numbers(set(caller_words(read_identity(written)))))

    def _what(self, what: tuple[str, ...]) -> Piece:
        return Piece(self._numbers(set(call_words(*what))))

    def _parameters(self, written: bytes) -> tuple[Piece, ...]:
        found: list[Piece] = []
        asked = _read_contexts(written)
        if asked is not None and _CONTEXT in written:
            contexts = (
                asked.encryptionContext,
                asked.sourceEncryptionContext,
                asked.destinationEncryptionContext,
            )
            pairs = [pair for context in contexts if context for pair in context.items()]
            found = [_remembered(self._pairs, pair, self._pair) for pair in pairs]
        if _NAMES(written):
            found.append(Piece(self._numbers(set(asked_words(_read_parameters(written)))), loose=True))
        return tuple(found)

    @staticmethod
    def _pair(pair: tuple[str, str]) -> Piece:
        return Piece((pair_term("=".join(pair)),), loose=True)

    def _effect(self, written: bytes) -> tuple[Piece, ...]:
        affected = _read_affected(b"{" + written[1:] + b"}")
        return (Piece(self._numbers(set(affected.affected_words()))),)


def _known_alike(stretch: Stretch) -> Alike | None:
    """The same, if it differs in its ids alone from an event that is there."""
    if isinstance(stretch, Alike) and stretch.like >= 0 and stretch.differ_in_ids():
        return stretch
    return None


def _known(known: dict[Key, Value | None], key: Key, look: Callable[[Key], Value]) -> Value | None:
    """What stands behind the key; None if it is nothing by itself."""
    try:
        return _remembered(known, key, look)
    except (msgspec.MsgspecError, ValueError):
        known[key] = None
        return None


def _remembered(known: dict[Key, Value], key: Key, look: Callable[[Key], Any]) -> Value:
    """What stands behind the key, which is looked at if it was not yet."""
    try:
        return known[key]
    except KeyError:
        if len(known) >= _MOST:
            known.clear()
        found: Value = look(key)
        known[key] = found
        return found
