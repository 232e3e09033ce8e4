"""Use of keys as the journals tell it, gathered: uses that no policy at hand tells apart are one, with how many there were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from keystead.analysis.replay import Recorded
from keystead.api.condition_keys import via_service
from keystead.audit.terms import seconds_of
from keystead.policy.actions import ACTIONS
from keystead.policy.condition_keys import CONDITION_KEYS
from keystead.policy.request import Principal, PrincipalType, Value

_MOST_CONTEXTS: Final = 20
"""Encryption contexts that are told of one use."""
_MOST_SHAPES: Final = 50_000

Frozen = tuple[tuple[str, Any], ...]


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
    sourceIPAddress: str = ""  # noqa: N815
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


_read_event: Final = msgspec.json.Decoder(_Event).decode
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
_CONTEXTS: Final = frozenset({"encryptionContext", "sourceEncryptionContext", "destinationEncryptionContext"})
_EC: Final = "kms:encryptioncontext:"
_TIMES: Final = frozenset({"aws:currenttime", "aws:epochtime"})
_BY_PARAMETERS: Final = frozenset(
    name for name, row in CONDITION_KEYS.items() if row.scope not in {"global", "key"}
) - {"kms:calleraccount", "kms:viaservice"}
"""Keys that the parameters of a request tell."""


class Gatherer:
    """Gathers uses of keys from events.

    `keys` are the ARNs of those that are looked at, all if none; `spoken` what policies tell requests apart by;
    with `contexts` the encryption contexts are told, too.
    """

    def __init__(self, keys: Iterable[str], spoken: frozenset[str], *, contexts: bool = False) -> None:
        self._keys = frozenset(keys)
        self._marks = tuple(key.encode() for key in self._keys)
        self._contexts = contexts
        self._names = frozenset(key[len(_EC) :] for key in spoken if key.startswith(_EC))
        self._all_names = "kms:encryptioncontextkeys" in spoken
        self._parameters = bool(spoken & _BY_PARAMETERS or self._names or self._all_names) or any(
            key.startswith("aws:requesttag/") or key == "aws:tagkeys" for key in spoken
        )
        self._spoken = spoken
        self._often = bool(spoken & (_TIMES | {"aws:sourceip", "aws:useragent", "aws:securetransport"}))
        self._callers: dict[bytes, Caller | None] = {}
        self._found: dict[tuple[Any, ...], tuple[Uses, ...]] = {}
        self._uses: dict[tuple[Any, ...], Uses] = {}
        self.events = 0

    @property
    def uses(self) -> list[Uses]:
        """What was found so far."""
        return list(self._uses.values())

    def take(self, events: Iterable[bytes]) -> None:
        """None; the uses in these events are noted."""
        marks = self._marks
        for payload in events:
            self.events += 1
            if not marks or any(mark in payload for mark in marks):
                self._take(_read_event(payload))

    def _take(self, event: _Event) -> None:
        if event.errorCode or event.eventSource != _KMS:
            return
        parameters, context = self._asked(event)
        shape = (
            event.eventName, event.awsRegion, bytes(event.userIdentity), bytes(event.resources), parameters,
            self._circumstances(event) if self._often else None,
        )  # fmt: skip
        uses = self._found.get(shape)
        if uses is None:
            if len(self._found) >= _MOST_SHAPES:
                self._found.clear()
            uses = self._found[shape] = tuple(self._new(event, dict(parameters)))
        for one in uses:
            one.note(event, context)

    def _asked(self, event: _Event) -> tuple[Frozen, dict[str, str] | None]:
        """The parameters as far as they tell requests apart, and the whole encryption context if it is wanted."""
        if not self._parameters and not self._contexts and event.eventName != "CreateGrant":
            return (), None
        asked = _read_parameters(event.requestParameters) or {}
        context = asked.get("encryptionContext") or asked.get("sourceEncryptionContext") or {}
        if not self._parameters and event.eventName != "CreateGrant":
            return (), context
        return tuple([(name, _frozen(self._narrowed(name, value))) for name, value in asked.items()]), context

    def _narrowed(self, name: str, value: Any) -> Any:
        if name not in _CONTEXTS or self._all_names or not isinstance(value, dict):
            return value
        return {key: text for key, text in value.items() if key.lower() in self._names}

    def _circumstances(self, event: _Event) -> tuple[str, ...]:
        times = event.eventTime if self._spoken & _TIMES else ""
        return times, event.sourceIPAddress, event.userAgent, "tls" if bytes(event.tlsDetails) else ""

    def _new(self, event: _Event, parameters: dict[str, Any]) -> Iterable[Uses]:
        caller = self._caller(bytes(event.userIdentity))
        if caller is None:
            return
        keys = [each.arn for each in _read_resources(event.resources) if each.type == _KEY_TYPE]
        asked = {name[0].upper() + name[1:]: _thawed(value) for name, value in parameters.items()}
        given = self._given(event, caller)
        for action, key in zip(_actions(event.eventName, len(keys)), keys, strict=False):
            if self._keys and key not in self._keys:
                continue
            recorded = Recorded(
                caller=caller.principal, action=action, key=key, parameters=asked, given=given
            )
            told = (self._identity_of(caller.principal), action, key, _frozen(parameters), _frozen(given))
            uses = self._uses.get(told)
            if uses is None:
                uses = self._uses[told] = Uses(
                    recorded, 0, event.eventTime, event.eventTime, event.eventID, None, []
                )
            yield uses

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
        elif self._often:
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


def _thawed(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    held, kind = value
    if kind == "map":
        return {name: _thawed(each) for name, each in held}
    return [_thawed(each) for each in held]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
