"""Use of keys as the journals tell it, gathered: uses that no policy at hand tells apart are one, with how many there were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from keystead.analysis.replay import Judge, Recorded
from keystead.api.condition_keys import via_service
from keystead.api.recorded_callers import Caller, caller_of
from keystead.audit.alike import Alike, cut, is_sound
from keystead.audit.identity import read_identity, read_resources
from keystead.audit.terms import seconds_of
from keystead.policy.actions import ACTIONS
from keystead.policy.condition_keys import CONDITION_KEYS
from keystead.policy.request import Principal, Value

_MOST_CONTEXTS: Final = 20
"""Encryption contexts that are told of one use."""
_MOST_SHAPES: Final = 50_000


class Uses(msgspec.Struct, gc=False):
    """Uses alike: how many, and the times of the first and the last (ISO 8601).

    `common` are the pairs that the encryption contexts of all have, `contexts` some of those contexts.
    """

    recorded: Recorded
    count: int
    begun: bytes
    ended: bytes
    newest: bytes
    """The last one's event."""
    common: dict[str, str] | None = None
    contexts: list[dict[str, str]] = []

    @property
    def first(self) -> str:
        """When the first was."""
        return self.begun.decode()

    @property
    def last(self) -> str:
        """When the last was."""
        return self.ended.decode()

    @property
    def event_id(self) -> str:
        """The id of the last one's event."""
        return _read_id(self.newest).eventID

    def note(self, time: bytes, event: bytes) -> None:
        """None; one more was found."""
        self.count += 1
        if time >= self.ended:
            self.ended, self.newest = time, event
        elif time < self.begun:
            self.begun = time

    def note_context(self, context: Mapping[str, str]) -> None:
        """None; one of them had this encryption context."""
        if self.common is None:
            self.common = dict(context)
        elif self.common:
            self.common = {name: text for name, text in self.common.items() if context.get(name) == text}
        if len(self.contexts) < _MOST_CONTEXTS and context and context not in self.contexts:
            self.contexts.append(dict(context))


class _Event(msgspec.Struct, gc=False):
    """The members of an event that tell of a use."""

    eventName: str  # noqa: N815  CloudTrail's names, here and below
    eventTime: str  # noqa: N815
    userIdentity: msgspec.Raw  # noqa: N815
    resources: msgspec.Raw = msgspec.Raw(b"[]")
    requestParameters: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815
    awsRegion: str = ""  # noqa: N815
    errorCode: str = ""  # noqa: N815
    eventSource: str = ""  # noqa: N815


class _Detailed(_Event, gc=False):
    """The same with the circumstances of the request, which take longer to read."""

    sourceIPAddress: str = ""  # noqa: N815  CloudTrail's names, here and below
    userAgent: str = ""  # noqa: N815
    tlsDetails: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815


class _Id(msgspec.Struct, gc=False):
    eventID: str = ""  # noqa: N815  CloudTrail's name


class _Contexts(msgspec.Struct, gc=False):
    """The encryption contexts in a request's parameters."""

    encryptionContext: dict[str, str] | None = None  # noqa: N815  CloudTrail's names, here and below
    sourceEncryptionContext: dict[str, str] | None = None  # noqa: N815
    destinationEncryptionContext: dict[str, str] | None = None  # noqa: N815


_read_contexts: Final = msgspec.json.Decoder(_Contexts | None).decode
_read_event: Final = msgspec.json.Decoder(_Event).decode
_read_detailed: Final = msgspec.json.Decoder(_Detailed).decode
_read_id: Final = msgspec.json.Decoder(_Id).decode
_read_parameters: Final = msgspec.json.Decoder(dict[str, Any] | None).decode

_KMS: Final = "kms.amazonaws.com"
_KEY_TYPE: Final = "AWS::KMS::Key"
_CONTEXTS: Final = ("encryptionContext", "sourceEncryptionContext", "destinationEncryptionContext")
_NOTHING_TOLD: Final[tuple[int, Mapping[str, Any]]] = (0, {})
_EC: Final = "kms:encryptioncontext:"
_TIMES: Final = frozenset({"aws:currenttime", "aws:epochtime"})
_BY_PARAMETERS: Final = frozenset(
    name for name, row in CONDITION_KEYS.items() if row.scope not in {"global", "key"}
) - {"kms:calleraccount", "kms:viaservice", "kms:encryptioncontextkeys"}
"""Keys that the parameters of a request tell."""


class _Way(msgspec.Struct, frozen=True, gc=False):
    """Who did what with which key, under which circumstances; `number` stands for all of it."""

    number: int
    caller: Principal
    action: str
    key: str
    given: dict[str, Value]


class _Shape(msgspec.Struct, frozen=True, gc=False):
    """What events have alike but their parameters: the ways in which they use keys.

    `asks`: what policies tell apart depends on encryption contexts; `whole`: on any parameter.
    """

    number: int
    ways: tuple[_Way, ...]
    asks: bool
    whole: bool


_UNSOUND: Final = _Shape(0, (), asks=False, whole=False)
"""Of what is not cut as it should be; such events are read."""


class Told(msgspec.Struct, frozen=True):
    """What policies tell requests apart by: condition keys in lower case, and what they make of single values."""

    spoken: frozenset[str]
    judges: Mapping[str, Judge] = {}


class Gatherer:
    """Gathers uses of keys from events.

    `keys` are the ARNs of those that are looked at, all if none; with `contexts` the encryption contexts are told, too.
    """

    def __init__(
        self, keys: Iterable[str], told: Told, *, contexts: bool = False, people: Iterable[str] = ()
    ) -> None:
        """`people` are texts of which an event must have one if no keys are named, such as the ARNs of callers."""
        self._keys = frozenset(keys)
        self._marks = tuple(text.encode() for text in self._keys or frozenset(people))
        self._contexts = contexts
        self._spoken = spoken = told.spoken
        self._names = frozenset(key[len(_EC) :] for key in spoken if key.startswith(_EC))
        self._all_names = "kms:encryptioncontextkeys" in spoken
        self._parameters = bool(spoken & _BY_PARAMETERS) or any(
            key.startswith("aws:requesttag/") or key == "aws:tagkeys" for key in spoken
        )
        self._often = bool(spoken & (_TIMES | {"aws:sourceip", "aws:useragent", "aws:securetransport"}))
        self._judges = {name: told.judges[_EC + name] for name in self._names if _EC + name in told.judges}
        self._judged: dict[tuple[str, str], Any] = {}
        self._read: dict[bytes, tuple[int, Mapping[str, Any]]] = {}
        self._callers: dict[bytes, Caller | None] = {}
        self._shapes: dict[Alike | tuple[Any, ...], _Shape] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._told: dict[Any, int] = {}
        self._places: dict[tuple[int, int], tuple[Uses, ...]] = {}
        self._uses: dict[tuple[int, int], Uses] = {}
        self._made = 0
        self.events = 0

    @property
    def uses(self) -> list[Uses]:
        """What was found so far."""
        return list(self._uses.values())

    def take(self, events: Iterable[bytes]) -> None:
        """None; the uses in these events are noted. This runs a million times: what events have alike is looked up."""
        one = self._marks[0] if len(self._marks) == 1 else b""
        marks, shapes, number = self._marks, self._shapes, 0
        for number, event in enumerate(events, 1):  # noqa: B007  tells how many there were
            if one not in event if one else marks and not any(mark in event for mark in marks):
                continue
            pieces = None if self._often else cut(event)
            if pieces is None:
                self._read_whole(event)
                continue
            alike, time, written = pieces
            shape = shapes.get(alike)
            if shape is None:
                shape = self._first_seen(alike, event)
            if shape is _UNSOUND:
                self._read_whole(event)
            elif shape.ways:
                try:
                    self._note(shape, time, written, event)
                except msgspec.DecodeError:
                    # A name of the caller's own within the parameters was taken for that of the member behind them.
                    self._read_whole(event)
        self.events += number

    def _first_seen(self, alike: Alike, event: bytes) -> _Shape:
        shape = self._shape(_read_event(event)) if is_sound(event, alike) else _UNSOUND
        self._shapes[alike] = shape
        return shape

    def _read_whole(self, event: bytes) -> None:
        """None; the event is noted, whatever form it has."""
        read = (_read_detailed if self._often else _read_event)(event)
        if read.errorCode or read.eventSource != _KMS:
            return
        alike = (
            read.eventName, read.awsRegion, bytes(read.userIdentity), bytes(read.resources),
            self._circumstances(read) if isinstance(read, _Detailed) else None,
        )  # fmt: skip
        shape = self._shapes.get(alike)
        if shape is None:
            shape = self._shapes[alike] = self._shape(read)
        if shape.ways:
            self._note(shape, read.eventTime.encode(), bytes(read.requestParameters), event)

    def _note(self, shape: _Shape, time: bytes, written: bytes, event: bytes) -> None:
        told, asked = self._asked(shape, written) if shape.asks else _NOTHING_TOLD
        found = self._places.get((shape.number, told))
        if found is None:
            found = tuple([self._place(way, told, asked, time, event) for way in shape.ways])
            self._places[shape.number, told] = found
        for uses in found:
            uses.note(time, event)
            if self._contexts:
                uses.note_context(_context(asked))

    def _shape(self, event: _Event) -> _Shape:
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
            self._places.clear()
        asks = bool(self._names) or self._all_names or self._contexts
        self._made += 1
        whole = self._parameters or event.eventName == "CreateGrant"
        ways = tuple(self._found(event)) if event.eventSource == _KMS else ()
        return _Shape(self._made, ways, asks=asks or whole, whole=whole)

    def _place(self, way: _Way, told: int, asked: Mapping[str, Any], time: bytes, event: bytes) -> Uses:
        uses = self._uses.get((way.number, told))
        if uses is None:
            uses = self._uses[way.number, told] = _new(way, asked, time, event)
        return uses

    def _asked(self, shape: _Shape, written: bytes) -> tuple[int, Mapping[str, Any]]:
        """A number for what policies tell apart of the parameters, and these, as far as they are needed."""
        if shape.whole:
            asked = _read_parameters(written) or {}
            told = tuple([(name, _frozen(self._narrowed(name, value))) for name, value in asked.items()])
            return self._told_apart(told), asked
        known = self._read.get(written)
        if known is None:
            if len(self._read) >= _MOST_SHAPES:
                self._read.clear()
            contexts = _read_contexts(written) or _Contexts()
            held = {name: pairs for name in _CONTEXTS if (pairs := getattr(contexts, name)) is not None}
            told = tuple([(name, self._pairs(pairs)) for name, pairs in held.items()])
            known = self._read[written] = self._told_apart(told), held
        return known

    def _told_apart(self, told: Any) -> int:
        return self._told.setdefault(told, len(self._told) + 1)

    def _narrowed(self, name: str, value: Any) -> Any:
        return self._pairs(value) if name in _CONTEXTS and isinstance(value, dict) else value

    def _pairs(self, context: Mapping[str, str]) -> tuple[Any, ...]:
        """The pairs that are spoken of, each as what policies make of it."""
        if self._all_names:
            return tuple(sorted(context.items()))
        names = self._names
        return tuple([self._pair(pair) for pair in context.items() if pair[0].lower() in names])

    def _pair(self, pair: tuple[str, str]) -> Any:
        name = pair[0].lower()
        judge = self._judges.get(name)
        if judge is None:
            return pair
        known = self._judged.get(pair)
        if known is None:
            if len(self._judged) >= _MOST_SHAPES:
                self._judged.clear()
            known = self._judged[pair] = name, judge(pair[1])
        return known

    def _circumstances(self, event: _Detailed) -> tuple[str, ...]:
        times = event.eventTime if self._spoken & _TIMES else ""
        return times, event.sourceIPAddress, event.userAgent, "tls" if bytes(event.tlsDetails) else ""

    def _found(self, event: _Event) -> Iterable[_Way]:
        caller = self._caller(bytes(event.userIdentity))
        if caller is None:
            return
        keys = [each.arn for each in (read_resources(event.resources) or ()) if each.type == _KEY_TYPE]
        given = self._given(event, caller)
        for action, key in zip(_actions(event.eventName, len(keys)), keys, strict=False):
            if not self._keys or key in self._keys:
                alike = (*self._identity_of(caller.principal), action, key, _frozen(given))
                number = self._numbers.setdefault(alike, len(self._numbers))
                yield _Way(number, caller.principal, action, key, given)

    def _identity_of(self, caller: Principal) -> tuple[str, ...]:
        """What tells callers apart; of their sessions what policies speak of."""
        who = (caller.type, caller.arn, caller.role_arn, caller.unique_id, caller.service)
        of_session = {
            "aws:multifactorauthpresent": str(caller.mfa_present),
            "aws:tokenissuetime": caller.token_issue_time,
            "aws:sourceidentity": caller.source_identity,
        }
        return (*who, *(text for key, text in of_session.items() if key in self._spoken))

    def _given(self, event: _Event, caller: Caller) -> dict[str, Value]:
        given: dict[str, Value] = {"aws:requestedregion": event.awsRegion}
        if self._spoken & _TIMES:
            given["aws:currenttime"] = event.eventTime
            given["aws:epochtime"] = str(seconds_of(event.eventTime))
        if caller.invoked_by:
            given["aws:calledvia"] = (caller.invoked_by,)
            given["kms:viaservice"] = via_service(caller.invoked_by, event.awsRegion)
        elif isinstance(event, _Detailed):
            given["aws:useragent"] = event.userAgent
            given["aws:securetransport"] = "true" if bytes(event.tlsDetails) else "false"
            if _is_address(event.sourceIPAddress):
                given["aws:sourceip"] = event.sourceIPAddress
        return given

    def _caller(self, identity: bytes) -> Caller | None:
        if identity not in self._callers:
            if len(self._callers) >= _MOST_SHAPES:
                self._callers.clear()
            self._callers[identity] = caller_of(read_identity(identity))
        return self._callers[identity]


def _new(way: _Way, asked: Mapping[str, Any], time: bytes, event: bytes) -> Uses:
    parameters = {name[0].upper() + name[1:]: value for name, value in asked.items()}
    recorded = Recorded(
        caller=way.caller, action=way.action, key=way.key, parameters=parameters, given=way.given
    )
    return Uses(recorded, 0, time, time, event, None, [])


def _actions(operation: str, keys: int) -> tuple[str, ...]:
    """The permission that an operation takes on each of its keys, in their order; RetireGrant's is the grant's."""
    if operation == "ReEncrypt":
        return ("kms:ReEncryptFrom", "kms:ReEncryptTo")
    row = ACTIONS.get(f"kms:{operation}")
    if row is None or "key" not in row.targets or operation == "RetireGrant":
        return ()
    return (row.name,) * keys


def _frozen(value: Any) -> Any:
    """The value in a form that can be a key."""
    if isinstance(value, dict):
        return tuple(sorted((name, _frozen(each)) for name, each in value.items())), "map"
    return (tuple(map(_frozen, value)), "list") if isinstance(value, list) else value


def _context(asked: Mapping[str, Any]) -> Mapping[str, str]:
    """The encryption context that was asked with, the source's of a ReEncrypt."""
    context = asked.get("encryptionContext") or asked.get("sourceEncryptionContext") or {}
    return context if isinstance(context, dict) else {}


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
