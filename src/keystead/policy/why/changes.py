"""The smallest change that would allow what was refused. Each is tried on a copy, and `decide` must then allow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from keystead.policy.document import Condition
from keystead.policy.evaluate import decide
from keystead.policy.explain import Decision
from keystead.policy.policyset import Policies
from keystead.policy.request import AuthorizationRequest, Grant, Value
from keystead.policy.why.additions import Change, added, is_fixed
from keystead.policy.why.near import holds, near_grants, shown, unmet_by
from keystead.policy.why.places import Place, label, label_of, replaced, speaking

_ROUNDS: Final = 6
"""Policies of so many types can lack an Allow at once."""
_EC: Final = "kms:encryptioncontext:"


def smallest(request: AuthorizationRequest, policies: Policies, decision: Decision) -> tuple[Change, ...]:
    """One change that is enough; else what is lacking, one after the other, until it is."""
    for change, changed_request, changed_policies in _single(request, policies):
        if decide(changed_request, changed_policies).allowed:
            return (change,)
    changes: list[Change] = []
    for _ in range(_ROUNDS):
        step = _next(request, policies, decision)
        if step is None:
            return ()
        change, policies = step
        changes.append(change)
        decision = decide(request, policies)
        if decision.allowed:
            return tuple(changes)
    return ()


def _next(
    request: AuthorizationRequest, policies: Policies, decision: Decision
) -> tuple[Change, Policies] | None:
    """What takes the deciding obstacle away; None if it cannot be."""
    if decision.effect == "explicitDeny":
        for place in speaking(request, policies):
            if place.statement.effect == "Deny" and not tuple(unmet_by(request, place)):
                without = replaced(policies, place, None)
                return Change(
                    place.policy_type, f"remove or narrow {label_of(place)}, which denies it"
                ), without
        return None
    return added(request, policies, decision.decided_by.policy_type)


# --------------------------------------------------------------------- one change that is enough

_Candidate = tuple[Change, AuthorizationRequest, Policies]


def _single(request: AuthorizationRequest, policies: Policies) -> Iterator[_Candidate]:
    """Changes of the request first, which need nobody's leave; then of one condition of one statement."""
    places = [place for place in speaking(request, policies) if not is_fixed(request, place.policy_type)]
    allows = [place for place in places if place.statement.effect == "Allow"]
    for place in allows:
        unmet = [c for c in place.statement.conditions if not holds(request, place, c)]
        if len(unmet) == 1 and (value := _wanted(unmet[0])) is not None:
            yield _asking(unmet[0].key, value, label_of(place)), *_with(request, policies, unmet[0], value)
    for place in places:
        if place.statement.effect == "Deny" and not tuple(unmet_by(request, place)):
            for condition in place.statement.conditions:
                if (value := _unlike(condition)) is not None:
                    told = _asking(condition.key, value, label_of(place))
                    yield told, *_with(request, policies, condition, value)
    for grant in near_grants(request, policies):
        yield from _as_granted(request, policies, grant)
    yield from _relaxed(request, policies, allows)


def _relaxed(request: AuthorizationRequest, policies: Policies, allows: list[Place]) -> Iterator[_Candidate]:
    """One condition left out."""
    for place in allows:
        for condition in place.statement.conditions:
            if not holds(request, place, condition):
                kept = tuple(c for c in place.statement.conditions if c is not condition)
                relaxed = msgspec.structs.replace(place.statement, conditions=kept)
                text = (
                    f"let {label_of(place)} do without its condition {condition.operator} on {condition.key}"
                )
                yield Change(place.policy_type, text), request, replaced(policies, place, relaxed)


def _as_granted(request: AuthorizationRequest, policies: Policies, grant: Grant) -> Iterator[_Candidate]:
    """The encryption context that a grant asks for: just this, or this among others."""
    terms = grant.constraints
    pairs = dict(terms.encryption_context_equals or {})
    if terms.encryption_context_equals is None and terms.encryption_context_subset is not None:
        pairs = {**request.encryption_context, **terms.encryption_context_subset}
    if pairs:
        over: dict[str, Value | None] = {}
        over.update((f"{_EC}{name.lower()}", None) for name in request.encryption_context)
        over.update((f"{_EC}{name.lower()}", text) for name, text in pairs.items())
        over["kms:encryptioncontextkeys"] = tuple(pairs)
        asks = label("grant", grant.grant_id, None, None)
        text = f"make the request with the encryption context {json.dumps(pairs)}, as {asks} asks"
        context = _Overlaid(request.context, over)
        changed = msgspec.structs.replace(request, context=context, encryption_context=pairs)
        yield Change("request", text), changed, policies


def _asking(key: str, value: Value, who: str) -> Change:
    return Change("request", f"make the request with {key} = {shown(value)}, as {who} asks")


def _with(
    request: AuthorizationRequest, policies: Policies, condition: Condition, value: Value
) -> tuple[AuthorizationRequest, Policies]:
    """The request with another value of the key that the condition is about."""
    key = condition.key.lower()
    pairs = request.encryption_context
    if key.startswith(_EC) and isinstance(value, str):
        pairs = {**pairs, condition.key[len(_EC) :]: value}
    context = _Overlaid(request.context, {key: value})
    return msgspec.structs.replace(request, context=context, encryption_context=pairs), policies


# ---------------------------------------------------------------------------- conditions


class _Overlaid:
    """A context in which some keys have other values."""

    def __init__(self, under: Any, over: Mapping[str, Value | None]) -> None:
        self._under, self._over = under, over

    def get(self, key: str, /) -> Value | None:
        """The value of the key, or None if it is absent."""
        found: Value | None = self._over[key] if key in self._over else self._under.get(key)
        return found


_ASKED: Final = ("kms:", "aws:requesttag/", "aws:tagkeys", "sts:")
"""Keys whose values a caller chooses with its request; others are what they are."""


_MEETING: Final = frozenset({"StringEquals", "StringLike", "Bool"})
_ESCAPING: Final = frozenset({"StringNotEquals", "StringNotLike"})


def _wanted(condition: Condition) -> Value | None:
    """A value that meets the condition, if the caller could send one and the policy says which."""
    return _value(condition, _MEETING)


def _unlike(condition: Condition) -> Value | None:
    """A value that the condition of a Deny excepts, if the caller could send one and the policy says which."""
    return _value(condition, _ESCAPING)


def _value(condition: Condition, operators: frozenset[str]) -> Value | None:
    quantifier, _, operator = condition.operator.rpartition(":")
    value = condition.values[0] if condition.values else ""
    if operator.removesuffix("IfExists") not in operators or "$" in value or "*" in value:
        return None
    key = condition.key.lower()
    if not key.startswith(_ASKED) or key in ("kms:viaservice", "kms:calleraccount"):
        return None
    return (value,) if quantifier else value
