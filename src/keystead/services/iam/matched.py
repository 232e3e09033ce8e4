"""Which statements decided a simulated request, and where they stand in their documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import msgspec

from keystead.policy import AuthorizationRequest, Decision
from keystead.policy.compiled import CompiledStatement
from keystead.policy.principal import ACCOUNT
from keystead.services.iam.simulation import Source

Place = tuple[int, int]
"""Line and column, both from 1."""

_SPACE: Final = " \t\n\r"
_decode = json.JSONDecoder(strict=False).raw_decode


class MatchedStatement(msgspec.Struct, frozen=True):
    """One statement: its policy as results name it, and its first and last character."""

    policy: str
    type: str
    start: Place
    end: Place


def matched(
    request: AuthorizationRequest, decision: Decision, identity: tuple[Source, ...], resource: Source | None
) -> tuple[MatchedStatement, ...]:
    """The statements of identity and resource policies that made the decision; none for an implicit deny."""
    if decision.effect == "implicitDeny":
        return ()
    found = [
        (each, one) for each in identity for one in _speaking(request, decision, each) if one.applies(request)
    ]
    if resource is not None:
        # A statement that names the whole account decides nothing by itself: identity policies must allow too.
        alone = decision.decided_by.policy_type == "resource" and decision.allowed
        found += [
            (resource, one)
            for one in _speaking(request, decision, resource)
            if _names(one, request, alone=alone) and one.applies(request)
        ]
    return tuple(_placed(source, statement) for source, statement in found)


def _names(statement: CompiledStatement, request: AuthorizationRequest, *, alone: bool) -> bool:
    named = statement.name(request.principal)
    return bool(named & ~ACCOUNT if alone else named)


def _speaking(
    request: AuthorizationRequest, decision: Decision, source: Source
) -> tuple[CompiledStatement, ...]:
    candidates = source.policy.for_action(request.action)
    return candidates.allows if decision.allowed else candidates.denies


def _placed(source: Source, statement: CompiledStatement) -> MatchedStatement:
    start, end = places(source.text)[statement.index]
    return MatchedStatement(source.id, source.type, start, end)


@lru_cache(1024)
def places(text: str) -> tuple[tuple[Place, Place], ...]:
    """Where each statement of a policy document begins and ends."""
    return tuple((_place(text, start), _place(text, end - 1)) for start, end in _spans(text))


def _place(text: str, offset: int) -> Place:
    line_start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - line_start + 1


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """The offsets of the statements; the text is known to be a policy."""
    start = [at for name, at in _members(text) if name == "Statement"][-1]
    if text[start] != "[":
        yield start, _decode(text, start)[1]
        return
    position = _skip(text, start + 1)
    while text[position] != "]":
        _, end = _decode(text, position)
        yield position, end
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _members(text: str) -> Iterator[tuple[str, int]]:
    """The names of an object's members, and where their values begin."""
    position = _skip(text, _skip(text, 0) + 1)
    while text[position] == '"':
        name, end = _decode(text, position)
        start = _skip(text, _skip(text, end) + 1)
        yield name, start
        position = _skip(text, _decode(text, start)[1])
        if text[position] == ",":
            position = _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    while text[position] in _SPACE:
        position += 1
    return position
