"""Whether a policy by itself lets a request in: for one request by the enforcing code, and for all as boxes.

The twin of `policy.evaluate`, for the level at which AWS's policy checks look: one document, in which every statement
that names the caller counts, an account's too. `effective` joins all policies as `policy.evaluate.decide` does.
"""

from __future__ import annotations

from collections.abc import Iterator

from keystead.analysis.budget import Budget
from keystead.analysis.compiled import BoxedPolicy, BoxedStatement, parts
from keystead.analysis.solver import Box, Part, remainders
from keystead.analysis.space import Space
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.guards import find_deny, first_allow, missing_guardrail
from keystead.policy.policyset import Policies
from keystead.policy.request import AuthorizationRequest


def admits(policy: CompiledPolicy, request: AuthorizationRequest, *, naming: bool = True) -> bool:
    """Whether the document by itself lets the request in, by the enforcing evaluator's own functions.

    `naming`: its statements name callers, as those of a resource policy.
    """
    if naming:
        return (
            find_deny(request, Policies(resource=policy)) is None
            and missing_guardrail(request, Policies(vpc_endpoint=(policy,))) is None
        )
    return (
        find_deny(request, Policies(identity=(policy,))) is None and first_allow(request, policy) is not None
    )


def allowed(space: Space, statement: BoxedStatement, denies: list[Part], budget: Budget) -> Iterator[Box]:
    """What one Allow statement lets in, against these Deny boxes."""
    yield from remainders(statement.box, [*space.impossible, *denies], budget)


def denied(space: Space, policy: BoxedPolicy) -> list[Part]:
    """What a policy denies."""
    return parts(space, policy.denies)
