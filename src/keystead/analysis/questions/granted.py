"""Does a policy grant any of some access?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from keystead.analysis.budget import Budget
from keystead.analysis.compiled import BoxedPolicy, BoxedStatement, boxed
from keystead.analysis.decode import confirmed
from keystead.analysis.evaluate import admits, denied
from keystead.analysis.solver import Box, Part, remainders
from keystead.analysis.space import Space, Universe
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import EVERYONE, Document, Statement
from keystead.policy.guards import first_allow
from keystead.policy.request import AuthorizationRequest


class Access(msgspec.Struct, frozen=True):
    """Actions on resources; none of either means any."""

    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


class Granted(msgspec.Struct, frozen=True):
    """One Allow statement that lets in what was asked about, with a request that shows it."""

    statement: int
    sid: str | None
    witness: AuthorizationRequest


def access_granted(
    policy: CompiledPolicy,
    access: Sequence[Access],
    universe: Universe,
    *,
    naming: bool = True,
    budget: Budget | None = None,
) -> tuple[Granted, ...]:
    """Every statement of the policy that grants some of the access to somebody; none proves that nothing does.

    `naming`: its statements name callers, as those of a resource policy.

    Raises:
        Undecided: it is neither proven nor refuted.
        AnalysisFault: the evaluator contradicts the analysis.
    """
    work = budget or Budget()
    asked = compile_policy(Document(tuple(map(_statement, access))))
    space = Space([policy, asked], universe, work)
    held = boxed(space, policy, *(() if naming else (None,)))
    wanted = [space.part(one.box) for one in boxed(space, asked, None).allows]

    def confirms(request: AuthorizationRequest) -> bool:
        return admits(policy, request, naming=naming) and first_allow(request, asked) is not None

    found = []
    for statement in held.allows:
        witness = confirmed(space, _granted(space, statement, wanted, held, work), confirms, work)
        if witness is not None:
            found.append(Granted(statement.number, statement.statement.sid, witness))
    return tuple(found)


def _statement(access: Access) -> Statement:
    return Statement(
        effect="Allow", actions=access.actions or (EVERYONE,), resources=access.resources or (EVERYONE,)
    )


def _granted(
    space: Space, statement: BoxedStatement, wanted: Sequence[Part], held: BoxedPolicy, budget: Budget
) -> Iterator[Box]:
    for part in wanted:
        both = part.of(statement.box)
        if both is not None:
            yield from remainders(both, [*space.impossible, *denied(space, held)], budget)
