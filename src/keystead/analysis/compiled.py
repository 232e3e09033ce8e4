"""A policy as boxes: what its statements allow and deny.

The twin of `policy.compiled`.
"""

from __future__ import annotations

import msgspec

from keystead.analysis.solver import Box, Part
from keystead.analysis.space import CALLER, Space
from keystead.policy.compiled import CompiledPolicy, CompiledStatement
from keystead.policy.principal import ACCOUNT, DIRECT, THROUGH_ISSUER

ANY_WAY = DIRECT | THROUGH_ISSUER | ACCOUNT


class BoxedStatement(msgspec.Struct, frozen=True):
    """One statement that some request matches, and the requests."""

    policy: CompiledPolicy
    statement: CompiledStatement
    box: Box

    @property
    def number(self) -> int:
        """Its place in the policy."""
        return self.statement.index


class BoxedPolicy(msgspec.Struct, frozen=True):
    """The statements of one policy that some request matches."""

    allows: tuple[BoxedStatement, ...]
    denies: tuple[BoxedStatement, ...]


def boxed(space: Space, policy: CompiledPolicy, ways: int | None = ANY_WAY) -> BoxedPolicy:
    """The policy's statements as boxes; `ways` tells in which an Allow must name the caller, None that none does."""
    found: dict[str, list[BoxedStatement]] = {"Allow": [], "Deny": []}
    for statement in policy.statements:
        box = space.box(policy, statement)
        if box is not None and ways is not None:
            naming = space.naming(statement, ways if statement.effect == "Allow" else ANY_WAY)
            box = with_callers(box, naming)
        if box is not None:
            found[statement.effect].append(BoxedStatement(policy, statement, box))
    return BoxedPolicy(tuple(found["Allow"]), tuple(found["Deny"]))


def with_callers(box: Box, callers: int) -> Box | None:
    """The box with these callers only."""
    left = box[CALLER] & callers
    return (*box[:CALLER], left, *box[CALLER + 1 :]) if left else None


def parts(space: Space, statements: tuple[BoxedStatement, ...]) -> list[Part]:
    """The statements' boxes, to be taken away from others."""
    return [space.part(one.box) for one in statements]
