"""What each condition key is worth for one check of one call; asked for only when a policy speaks of it.

The names, types and meanings of the keys are the policy room's table; here is where their values come
from on a live request (AWS IAM User Guide, "Request context"; KMS Developer Guide, "Condition keys").
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from keystead.api.call import Call, Target
from keystead.identity.caller import ROOT
from keystead.policy.request import Value

ValueOf = Callable[[Call, Target], Value | None]

_PRINCIPAL_TYPES = {ROOT: "Account"}


def _instant(call: Call, _target: Target) -> str:
    return datetime.fromtimestamp(int(call.now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _boolean(value: object) -> str:
    return "true" if value else "false"


def _of_key(attribute: str) -> ValueOf:
    def value(_call: Call, target: Target) -> Value | None:
        return None if target.key is None else str(getattr(target.key, attribute))

    return value


def _multi_region(_call: Call, target: Target) -> Value | None:
    return None if target.key is None else _boolean(target.key.multi_region)


def _multi_region_type(_call: Call, target: Target) -> Value | None:
    if target.key is None or target.key.multi_region is None:
        return None
    return target.key.multi_region.role


def _context_keys(_call: Call, target: Target) -> Value | None:
    return tuple(target.context) if target.context else None


def _aliases(call: Call, target: Target) -> Value | None:
    if target.key is None:
        return None
    return call.relations.aliases(call.tx, target.key) or None


VALUES: dict[str, ValueOf] = {
    "aws:principalarn": lambda call, _: call.caller.arn,
    "aws:principalaccount": lambda call, _: call.account,
    "aws:principaltype": lambda call, _: _PRINCIPAL_TYPES[call.caller.kind],
    "aws:principalisawsservice": lambda _call, _target: "false",
    "aws:userid": lambda call, _: call.caller.principal_id,
    "aws:sourceip": lambda call, _: call.source_ip,
    "aws:securetransport": lambda call, _: _boolean(call.secure),
    "aws:currenttime": _instant,
    "aws:epochtime": lambda call, _: str(int(call.now)),
    "aws:requestedregion": lambda call, _: call.region,
    "aws:useragent": lambda call, _: call.user_agent,
    "aws:viaawsservice": lambda _call, _target: "false",
    "aws:resourceaccount": lambda _call, target: target.account,
    "kms:calleraccount": lambda call, _: call.account,
    "kms:keyspec": _of_key("spec"),
    "kms:customermasterkeyspec": _of_key("spec"),
    "kms:keyusage": _of_key("usage"),
    "kms:customermasterkeyusage": _of_key("usage"),
    "kms:keyorigin": _of_key("origin"),
    "kms:multiregion": _multi_region,
    "kms:multiregionkeytype": _multi_region_type,
    "kms:requestalias": lambda _call, target: target.alias,
    "kms:resourcealiases": _aliases,
    "kms:encryptioncontextkeys": _context_keys,
}
"""By lower-case name. A key that is not here, in a family or among a target's facts is absent."""


def _encryption_context(target: Target, name: str) -> Value | None:
    return _ignoring_case(target.context, name)


def _resource_tag(target: Target, name: str) -> Value | None:
    return None if target.key is None else _ignoring_case(target.key.tags, name)


FAMILIES: dict[str, Callable[[Target, str], Value | None]] = {
    "kms:encryptioncontext:": _encryption_context,
    "aws:resourcetag/": _resource_tag,
}
"""By lower-case prefix: condition keys with a name of the customer's in them."""


class CheckContext:
    """The condition keys of one check, worked out when they are asked for."""

    __slots__ = ("_call", "_facts", "_target")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._facts: dict[str, Value] | None = None

    def get(self, key: str, /) -> Value | None:
        """The value of the condition key with this lower-case name, None if it is absent."""
        facts = self._facts
        if facts is None:
            given = self._target.facts or {}
            facts = self._facts = {
                name.lower(): value if isinstance(value, str) else tuple(value)
                for name, value in given.items()
            }
        if key in facts:
            return facts[key]
        value = VALUES.get(key)
        if value is not None:
            return value(self._call, self._target)
        for prefix, member in FAMILIES.items():
            if key.startswith(prefix):
                return member(self._target, key[len(prefix) :])
        return None


def _ignoring_case(values: object, name: str) -> str | None:
    if not values:
        return None
    assert hasattr(values, "items")
    for key, value in values.items():
        if key.lower() == name:
            return str(value)
    return None
