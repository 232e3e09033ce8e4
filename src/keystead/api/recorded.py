"""Use of keys as the journals tell it, gathered: uses that no policy at hand tells apart are one, with how many there were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from keystead.analysis.replay import Judge, Recorded
from keystead.api.condition_keys import via_service
from keystead.audit.terms import seconds_of
from keystead.policy.actions import ACTIONS
from keystead.policy.condition_keys import CONDITION_KEYS
from keystead.policy.request import Principal, PrincipalType, Value

_MOST_CONTEXTS: Final = 20
"""Encryption contexts that are told of one use."""
_MOST_SHAPES: Final = 50_000


class Uses(msgspec.Struct, gc=False):
    """Uses alike: how many, when the first and last (ISO 8601), and the id of the last one's event.

    `common` are the pairs that the encryption contexts of all have, `contexts` some of those contexts.
    """

    recorded: Recorded
    count: int
    first: str
    last: str
    event_id: str
    common: dict[str, str] | None = None
    contexts: list[dict[str, str]] = []

    def note(self, event: _Event, context: Mapping[str, str] | None) -> None:
        """None; one more was found."""
        self.count += 1
        self.first = min(self.first, event.eventTime)
        if event.eventTime >= self.last:
            self.last, self.event_id = event.eventTime, event.eventID
        if context is None:
            return
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
    eventID: str  # noqa: N815
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


class _Issuer(msgspec.Struct, gc=False, rename="camel"):
    type: str = ""
    arn: str = ""
    principal_id: str = ""


class _Attributes(msgspec.Struct, gc=False, rename="camel"):
    creation_date: str = ""
    mfa_authenticated: str = ""


class _Session(msgspec.Struct, gc=False, rename="camel"):
    session_issuer: _Issuer | None = None
    attributes: _Attributes | None = None
    source_identity: str = ""


class _Identity(msgspec.Struct, gc=False, rename="camel"):
    type: str = ""
    principal_id: str = ""
    arn: str = ""
    account_id: str = ""
    invoked_by: str = ""
    session_context: _Session | None = None


class _Resource(msgspec.Struct, gc=False):
    type: str = ""
    arn: str = msgspec.field(default="", name="ARN")


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who called, and the service that called for it, empty if none did."""

    principal: Principal
    invoked_by: str = ""


class _Contexts(msgspec.Struct, gc=False):
    """The encryption contexts in a request's parameters."""

    encryptionContext: dict[str, str] | None = None  # noqa: N815  CloudTrail's names, here and below
    sourceEncryptionContext: dict[str, str] | None = None  # noqa: N815
    destinationEncryptionContext: dict[str, str] | None = None  # noqa: N815


_read_contexts: Final = msgspec.json.Decoder(_Contexts | None).decode
_read_event: Final = msgspec.json.Decoder(_Event).decode
_read_detailed: Final = msgspec.json.Decoder(_Detailed).decode
_read_identity: Final = msgspec.json.Decoder(_Identity).decode
_read_resources: Final = msgspec.json.Decoder(list[_Resource]).decode
_read_parameters: Final = msgspec.json.Decoder(dict[str, Any] | None).decode

_KMS: Final = "kms.amazonaws.com"
_KEY_TYPE: Final = "AWS::KMS::Key"
_TYPES: Final[Mapping[str, PrincipalType]] = {
    "IAMUser": "user",
    "AssumedRole": "assumedRole",
    "FederatedUser": "federatedUser",
    "Root": "root",
    "AWSService": "service",
}
_CONTEXTS: Final = ("encryptionContext", "sourceEncryptionContext", "destinationEncryptionContext")
_NOTHING: Final[Mapping[str, Any]] = {}
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


class Told(msgspec.Struct, frozen=True):
    """What policies tell requests apart by: condition keys in lower case, and what they make of single values."""

    spoken: frozenset[str]
    judges: Mapping[str, Judge] = {}


class Gatherer:
    """Gathers uses of keys from events.

    `keys` are the ARNs of those that are looked at, all if none; with `contexts` the encryption contexts are told, too.
    """

    def __init__(self, keys: Iterable[str], told: Told, *, contexts: bool = False) -> None:
        self._keys = frozenset(keys)
        self._marks = tuple(key.encode() for key in self._keys)
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
        self._read: dict[bytes, tuple[Any, Mapping[str, Any]]] = {}
        self._callers: dict[bytes, Caller | None] = {}
        self._ways: dict[tuple[Any, ...], tuple[_Way, ...]] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._uses: dict[tuple[int, Any], Uses] = {}
        self.events = 0

    @property
    def uses(self) -> list[Uses]:
        """What was found so far."""
        return list(self._uses.values())

    def take(self, events: Iterable[bytes]) -> None:
        """None; the uses in these events are noted."""
        marks, read = self._marks, _read_detailed if self._often else _read_event
        for payload in events:
            self.events += 1
            if not marks or any(mark in payload for mark in marks):
                self._take(read(payload))

    def _take(self, event: _Event) -> None:
        if event.errorCode or event.eventSource != _KMS:
            return
        shape = (
            event.eventName, event.awsRegion, bytes(event.userIdentity), bytes(event.resources),
            self._circumstances(event) if isinstance(event, _Detailed) else None,
        )  # fmt: skip
        ways = self._ways.get(shape)
        if ways is None:
            if len(self._ways) >= _MOST_SHAPES:
                self._ways.clear()
            ways = self._ways[shape] = tuple(self._found(event))
        if not ways:
            return
        told, asked = self._asked(event)
        for way in ways:
            uses = self._uses.get((way.number, told))
            if uses is None:
                uses = self._uses[way.number, told] = self._new(event, way, asked)
            uses.note(event, _context(asked) if self._contexts else None)

    def _asked(self, event: _Event) -> tuple[Any, Mapping[str, Any]]:
        """What policies tell apart of the parameters, and these, as far as they are needed."""
        if self._parameters or event.eventName == "CreateGrant":
            asked = _read_parameters(event.requestParameters) or {}
            return tuple(
                [(name, _frozen(self._narrowed(name, value))) for name, value in asked.items()]
            ), asked
        if not self._names and not self._all_names and not self._contexts:
            return (), _NOTHING
        written = bytes(event.requestParameters)
        known = self._read.get(written)
        if known is None:
            if len(self._read) >= _MOST_SHAPES:
                self._read.clear()
            contexts = _read_contexts(written) or _Contexts()
            held = {name: pairs for name in _CONTEXTS if (pairs := getattr(contexts, name)) is not None}
            known = tuple([(name, self._pairs(pairs)) for name, pairs in held.items()]), held
            self._read[written] = known
        return known

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
        keys = [each.arn for each in _read_resources(event.resources) if each.type == _KEY_TYPE]
        given = self._given(event, caller)
        for action, key in zip(_actions(event.eventName, len(keys)), keys, strict=False):
            if not self._keys or key in self._keys:
                alike = (*self._identity_of(caller.principal), action, key, _frozen(given))
                number = self._numbers.setdefault(alike, len(self._numbers))
                yield _Way(number, caller.principal, action, key, given)

    def _new(self, event: _Event, way: _Way, asked: Mapping[str, Any]) -> Uses:
        parameters = {name[0].upper() + name[1:]: value for name, value in asked.items()}
        recorded = Recorded(
            caller=way.caller, action=way.action, key=way.key, parameters=parameters, given=way.given
        )
        return Uses(recorded, 0, event.eventTime, event.eventTime, event.eventID, None, [])

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
            self._callers[identity] = _who(_read_identity(identity))
        return self._callers[identity]


def _who(identity: _Identity) -> Caller | None:
    """The caller; None of one that another account's event names."""
    kind = _TYPES.get(identity.type)
    if kind is None:
        return None
    if kind == "service":
        return Caller(Principal(type="service", service=identity.invoked_by))
    session = identity.session_context
    issuer = (session.session_issuer if session is not None else None) or _Issuer()
    attributes = (session.attributes if session is not None else None) or _Attributes()
    unique = identity.principal_id
    return Caller(
        Principal(
            type=kind,
            arn=identity.arn,
            account=identity.account_id,
            role_arn=issuer.arn if kind == "assumedRole" else "",
            issuer_arn=issuer.arn if kind == "federatedUser" else "",
            issuer_id=issuer.principal_id if kind == "federatedUser" else "",
            user_id=unique,
            unique_id=unique.partition(":")[0] if kind in {"user", "assumedRole"} else "",
            mfa_present=attributes.mfa_authenticated == "true" if attributes.mfa_authenticated else None,
            token_issue_time=attributes.creation_date,
            source_identity=session.source_identity if session is not None else "",
        ),
        identity.invoked_by,
    )


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
