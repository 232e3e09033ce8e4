"""What condition keys are worth for one check of one call; worked out only when a policy speaks of one.

The keys themselves, one row each, are the policy room's table. Here is what only a live request knows: how
it came, what the operation says of its parameters, and what belongs to the key.
"""

from __future__ import annotations

from datetime import UTC, datetime

from keystead.api.call import Call, Target
from keystead.keys import Key
from keystead.policy import DerivedContext, Facts, Principal, ResourceDescription
from keystead.policy.request import Value

NOT_A_KEY = ResourceDescription(trust="standard")


class CheckContext:
    """The condition keys of one check."""

    __slots__ = ("_call", "_derived", "_principal", "_target")

    def __init__(self, call: Call, target: Target, principal: Principal) -> None:
        self._call = call
        self._target = target
        self._principal = principal
        self._derived: DerivedContext | None = None

    def get(self, key: str, /) -> Value | None:
        """The value of the condition key with this lower-case name, None if it is absent."""
        if self._derived is None:
            self._derived = DerivedContext(facts_of(self._call, self._target, self._principal))
        return self._derived.get(key)


def facts_of(call: Call, target: Target, principal: Principal) -> Facts:
    """Everything that the condition keys of one check speak of."""
    key = target.key
    return Facts(
        principal=principal,
        action=target.action,
        resource=target.resource,
        account=target.account,
        description=NOT_A_KEY if key is None else _description(call, key),
        given=_transport(call) | _named(target),
    )


def _transport(call: Call) -> dict[str, Value]:
    now = int(call.now)
    return {
        "aws:sourceip": call.source_ip,
        "aws:securetransport": "true" if call.secure else "false",
        "aws:currenttime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(now),
        "aws:requestedregion": call.region,
        "aws:useragent": call.user_agent,
    }


def _named(target: Target) -> dict[str, Value]:
    """What the operation says: its facts, the encryption context and the alias that named the key."""
    context = target.context or {}
    given: dict[str, Value] = {
        f"kms:encryptioncontext:{name.lower()}": text for name, text in context.items()
    }
    if context:
        given["kms:encryptioncontextkeys"] = tuple(context)
    if target.alias is not None:
        given["kms:requestalias"] = target.alias
    for name, value in (target.facts or {}).items():
        given[name.lower()] = value if isinstance(value, str) else tuple(value)
    return given


def _description(call: Call, key: Key) -> ResourceDescription:
    return ResourceDescription(
        trust="keyPolicy",
        tags=key.tags,
        aliases=call.relations.aliases(call.tx, key),
        key_spec=key.spec,
        key_usage=key.usage,
        origin=key.origin,
        multi_region=key.multi_region is not None,
        multi_region_key_type=key.multi_region.role if key.multi_region else "",
    )
