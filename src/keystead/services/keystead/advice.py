"""GetAdvice: default keys or custom ones, and what to change about custom keys, for those who may ask.

The answer tells of key policies, grants, buckets, the account's people and what they called, so it takes a permission of its
own, by the caller's identity policies; none of the permissions on what it tells of is asked for.
"""

from __future__ import annotations

from typing import Final

from keystead import arn
from keystead.analysis.advisor import Wishes, advised
from keystead.api import Call, Target, operation
from keystead.api.operation import always
from keystead.keys import Key
from keystead.services.keystead.facts import Deployment, facts_of, key_named
from keystead.wire import own as wire

_MOST_KEYS: Final = 20
"""Keys that one answer tells of."""
_EVENTS: Final = 10_000
_VERSIONS: Final = 10_000
_DAYS: Final = 90
_NEWEST: Final = 50_000
"""Events that an index which is behind takes in before it answers: a second or two."""


def _on_key(call: Call, request: wire.GetAdviceRequest) -> tuple[Target, ...]:
    """The key that the request names, whether or not it is there; else any."""
    return (Target("keystead:GetAdvice", _resource(call, request.key_id), call.account),)


def _resource(call: Call, key_id: str | None) -> str:
    if key_id is None:
        return "*"
    if key_id.startswith("arn:"):
        return key_id
    if not key_id.startswith("alias/"):
        return arn.key_arn(call.region, call.account, key_id)
    key = call.relations.named(call.tx, call.account, call.region, key_id)
    return arn.alias_arn(call.region, call.account, key_id) if key is None else key.arn


@operation("GetAdvice", targets=_on_key, slow=always)
def get_advice(call: Call, request: wire.GetAdviceRequest, _key: Target) -> wire.GetAdviceResponse:
    """Return whether each default key is enough and what to change about each custom key, as a page of keys."""
    where = Deployment(
        call.tx,
        call.relations,
        call.holdings,
        call.usage,
        call.trails.index,
        _EVENTS if request.max_events is None else request.max_events,
        _VERSIONS if request.max_versions is None else request.max_versions,
    )
    keys, marker = _keys(call, where, request)
    progress = where.index.catch_up(_NEWEST)
    facts = facts_of(where, call.account, call.region, keys, call.now)
    notes = facts.notes if progress.complete else (*facts.notes, "the newest events are not indexed yet")
    told = advised(facts.keys, facts.account, _wishes(request), notes)
    return wire.GetAdviceResponse(advice=told, next_marker=marker, truncated=marker is not None)


def _keys(call: Call, where: Deployment, request: wire.GetAdviceRequest) -> tuple[list[Key], str | None]:
    """The keys that this answer is about, and where the next one begins."""
    if request.key_id is not None:
        return [key_named(where, call.account, call.region, request.key_id)], None
    found = call.relations.page(call.tx, call.account, call.region, request.marker or "", _MOST_KEYS + 1)
    more = len(found) > _MOST_KEYS
    return found[:_MOST_KEYS], found[_MOST_KEYS - 1].id if more else None


def _wishes(request: wire.GetAdviceRequest) -> Wishes:
    return Wishes(
        needs=frozenset(request.needs or ()),
        admin=request.admin or "",
        users=tuple(request.users or ()),
        days=request.days or _DAYS,
    )


OPERATIONS = (get_advice,)
