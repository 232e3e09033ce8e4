"""What condition keys are worth for one check of one call; worked out only when a policy speaks of one.

The keys themselves, one row each, are the policy room's table. Here is what only a live request knows: how
it came, what the operation says of its parameters, and what belongs to the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Final

import msgspec

from keystead.api.call import Call, Target
from keystead.api.standing import instant
from keystead.api.verdicts import Read
from keystead.identity.caller import AWS_SERVICE
from keystead.keys import Key
from keystead.keys.key import CUSTOMER
from keystead.policy import DerivedContext, Facts, ResourceDescription
from keystead.policy.actions import find
from keystead.policy.facts import is_key
from keystead.policy.request import Value

NOT_A_KEY: Final = ResourceDescription(trust="standard")
_EC: Final = "kms:encryptioncontext:"
_CALLER_ACCOUNT: Final = "kms:CallerAccount"
_EC_KEYS: Final = "kms:encryptioncontextkeys"
_MOST_READERS: Final = 4096
Get = Callable[[Call, Target], Value | None]


class CheckContext:
    """The condition keys of one check; a policy costs what it asks, and no key of it costs the others."""

    __slots__ = ("_call", "_derived", "_facts", "_target")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._derived: DerivedContext | None = None
        self._facts = _said(target) if target.facts else None

    def get(self, key: str, /) -> Value | None:
        """The value of the condition key with this lower-case name, None if it is absent."""
        if self._facts is not None and key in self._facts:
            return self._facts[key]
        live = _LIVE.get(key)
        if live is not None:
            return live(self._call, self._target)
        if key.startswith(_EC):
            return _pair(self._target, key[len(_EC) :])
        if self._derived is None:
            given = _given(self._call, self._target)
            self._derived = DerivedContext(given, partial(_facts, self._call, self._target, given))
        return self._derived.get(key)


@lru_cache(_MOST_READERS)
def reader(said: tuple[str, ...], asked: tuple[str, ...]) -> Read:
    """What reads the values that `CheckContext` gives of the keys `asked`, of requests whose facts have the names `said`.

    That is known beforehand of each key, but for those that are derived, which are looked up as a policy does.
    """
    facts = {name.lower(): name for name in said}
    gets = [_getter(facts, key) for key in asked]
    alone = [get for get in gets if get is not None]
    if len(alone) == len(gets):
        return _read_by(alone)
    return lambda call, target: tuple(map(CheckContext(call, target).get, asked))


def _read_by(gets: list[Get]) -> Read:
    """What finds the values with these; of a few it calls each by its name, which takes half as long as a loop."""
    match gets:
        case [one]:
            return lambda call, target: (one(call, target),)
        case [one, two]:
            return lambda call, target: (one(call, target), two(call, target))
        case [one, two, three]:
            return lambda call, target: (one(call, target), two(call, target), three(call, target))
    return lambda call, target: tuple([get(call, target) for get in gets])  # a generator takes twice as long


def _getter(facts: Mapping[str, str], key: str) -> Get | None:
    """What finds the key's value by itself, in the order of `CheckContext.get`; None: it is derived."""
    if key in facts:
        return partial(_fact, facts[key])
    if key in _LIVE:
        return _LIVE[key]
    if key.startswith(_EC):
        return _pair_of(key[len(_EC) :])
    return None


def facts_of(call: Call, target: Target) -> Facts:
    """Everything that the condition keys of one check speak of."""
    facts = _facts(call, target, _given(call, target))
    live = {name: value for name, get in _LIVE.items() if (value := get(call, target)) is not None}
    described = msgspec.structs.replace(facts.description, aliases=live.get("kms:resourcealiases", ()))
    given = {**live, **_pairs(target), **facts.given}
    return msgspec.structs.replace(facts, description=described, given=given)


def _facts(call: Call, target: Target, given: dict[str, Value]) -> Facts:
    return Facts(
        principal=call.standing.principal,
        action=target.action,
        resource=target.resource,
        account=target.account,
        description=_description(call, target),
        given=given,
    )


def _given(call: Call, target: Target) -> dict[str, Value]:
    """What is known of the call besides the keys that are worked out alone, and need not be derived."""
    return _session(call) | _through(call) | _said(target)


def _session(call: Call) -> dict[str, Value]:
    """What the caller's temporary credentials carry: the age of a second factor, and who vouched for it."""
    session = call.caller.session
    if session is None:
        return {}
    given: dict[str, Value] = dict(session.facts)
    if session.mfa is not None:
        given["aws:multifactorauthage"] = str(max(0, int(call.now - session.mfa)))
    if session.provider:
        given["aws:federatedprovider"] = session.provider
    return given


def _through(call: Call) -> dict[str, Value]:
    """The services through which the request came (IAM User Guide, "AWS global condition context keys")."""
    via = call.via
    if via is None:
        return {}
    given: dict[str, Value] = {}
    if call.caller.kind != AWS_SERVICE:
        given["aws:calledvia"] = via.services
        given["kms:viaservice"] = via_service(via.services[-1], via.region)
    if via.source_arn:
        given["aws:sourcearn"] = via.source_arn
    if via.source_account:
        given["aws:sourceaccount"] = via.source_account
        place = call.standings.place(via.source_account, call.tx)
        if place.org_id:
            given["aws:sourceorgid"] = place.org_id
            given["aws:sourceorgpaths"] = (place.org_path,)
    return given


def via_service(service: str, region: str) -> str:
    """What `kms:ViaService` calls a service principal: `s3.us-east-1.amazonaws.com` for `s3.amazonaws.com`."""
    return f"{service.split('.', 1)[0]}.{region}.amazonaws.com"


def _said(target: Target) -> dict[str, Value]:
    """What the operation says of its parameters."""
    return {name.lower(): _valued(value) for name, value in (target.facts or {}).items()}


def _pairs(target: Target) -> dict[str, str]:
    """The encryption context, by condition key."""
    return {f"{_EC}{name.lower()}": text for name, text in (target.context or {}).items()}


def _pair(target: Target, name: str) -> str | None:
    """The value in the encryption context; case does not count in names, of which no two are alike (`readings`)."""
    context = target.context
    if not context:
        return None
    if name in context:
        return context[name]
    for given, text in context.items():
        if given.lower() == name:
            return text
    return None


def _pair_of(name: str) -> Get:
    """What finds the value in the encryption context; the name is mostly written as the policy writes it."""

    def get(_call: Call, target: Target) -> str | None:
        context = target.context
        if context and name in context:
            return context[name]
        return _pair(target, name)

    return get


def _fact(name: str, _call: Call, target: Target) -> Value:
    assert target.facts is not None
    return _valued(target.facts[name])


def _valued(value: str | list[str]) -> Value:
    return value if isinstance(value, str) else tuple(value)


def _description(call: Call, target: Target) -> ResourceDescription:
    """The resource without its aliases, which only one condition key asks for."""
    place = call.standing.place
    if target.account != call.account:
        place = call.standings.place(target.account, call.tx)
    key = target.key
    if key is None:
        return msgspec.structs.replace(NOT_A_KEY, org_id=place.org_id, org_path=place.org_path)
    return described(key, place.org_id, place.org_path)


def described(
    key: Key, org_id: str, org_path: str, *, management_account: bool = False
) -> ResourceDescription:
    """What condition keys tell of a KMS key in an account of that organization (empty: of none)."""
    return ResourceDescription(
        trust="keyPolicy",
        key_manager="CUSTOMER" if key.manager == CUSTOMER else "AWS",
        tags=key.tags,
        key_spec=key.spec,
        key_usage=key.usage,
        origin=key.origin,
        multi_region=key.multi_region is not None,
        multi_region_key_type=key.multi_region.role if key.multi_region else "",
        org_id=org_id,
        org_path=org_path,
        management_account=management_account,
    )


# ------------------------------------------------------------------ keys of the live request


def _caller_account(call: Call, target: Target) -> str | None:
    if target.key is None and not is_key(target.resource):
        action = find(target.action)
        if action is None or _CALLER_ACCOUNT not in action.keys:
            return None
    return call.account or None


def _current_time(call: Call, _target: Target) -> str:
    return instant(int(call.now))


def _aliases(call: Call, target: Target) -> Value | None:
    return (call.relations.aliases(call.tx, target.key) or None) if target.key is not None else None


_LIVE: Final[dict[str, Get]] = {
    "aws:sourceip": lambda call, _target: call.source_ip,
    "aws:securetransport": lambda call, _target: "true" if call.secure else "false",
    "aws:currenttime": _current_time,
    "aws:epochtime": lambda call, _target: str(int(call.now)),
    "aws:requestedregion": lambda call, _target: call.region,
    "aws:useragent": lambda call, _target: call.user_agent,
    "kms:calleraccount": _caller_account,
    _EC_KEYS: lambda _call, target: tuple(target.context) if target.context else None,
    "kms:requestalias": lambda _call, target: target.alias,
    "kms:resourcealiases": _aliases,
}
"""Keys that neither the caller nor the key's own record knows; each is worked out alone."""
