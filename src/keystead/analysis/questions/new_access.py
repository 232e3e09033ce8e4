"""Does a new policy let anything in that the old one does not?"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from keystead.analysis.budget import Budget
from keystead.analysis.compiled import BoxedPolicy, BoxedStatement, boxed, parts
from keystead.analysis.decode import confirmed
from keystead.analysis.evaluate import admits, allowed, denied
from keystead.analysis.solver import Box, remainders
from keystead.analysis.space import Space, Universe
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.request import AuthorizationRequest


class NewAccess(msgspec.Struct, frozen=True):
    """One Allow statement of the new policy that lets in what the old one does not, with a request that shows it.

    `denied_by` is the statement of the old policy that denies the request, if one does; else none allows it.
    """

    statement: int
    sid: str | None
    witness: AuthorizationRequest
    denied_by: int | None = None


def new_access(
    old: CompiledPolicy,
    new: CompiledPolicy,
    universe: Universe,
    *,
    naming: bool = True,
    budget: Budget | None = None,
) -> tuple[NewAccess, ...]:
    """Every statement of the new policy that lets in what the old policy does not; none proves that nothing is new.

    `naming`: their statements name callers, as those of resource policies.

    Raises:
        Undecided: it is neither proven nor refuted.
        AnalysisFault: the evaluator contradicts the analysis.
    """
    work = budget or Budget()
    space = Space([old, new], universe, work)
    before, after = (boxed(space, policy, *(() if naming else (None,))) for policy in (old, new))

    def confirms(request: AuthorizationRequest) -> bool:
        return admits(new, request, naming=naming) and not admits(old, request, naming=naming)

    found = []
    for statement in after.allows:
        boxes = _opened(space, statement, before, after, work)
        witness = confirmed(space, boxes, confirms, work)
        if witness is not None:
            denying = _denying(old, witness, naming=naming)
            found.append(NewAccess(statement.number, statement.statement.sid, witness, denying))
    return tuple(found)


def _opened(
    space: Space, statement: BoxedStatement, before: BoxedPolicy, after: BoxedPolicy, budget: Budget
) -> Iterator[Box]:
    """What the statement lets in that was not allowed before, and then what was denied before."""
    yield from remainders(
        statement.box, [*space.impossible, *denied(space, after), *parts(space, before.allows)], budget
    )
    for deny in before.denies:
        both = space.part(deny.box).of(statement.box)
        if both is not None:
            yield from allowed(
                space, msgspec.structs.replace(statement, box=both), denied(space, after), budget
            )


def _denying(policy: CompiledPolicy, request: AuthorizationRequest, *, naming: bool) -> int | None:
    """The statement that denies the request, if one does."""
    for statement in policy.for_action(request.action).denies:
        if statement.applies(request) and (not naming or statement.name(request.principal)):
            return statement.index
    return None
