"""Why a request was refused: which statement decided or came near, and the smallest change that would allow it.

Nothing is suggested that was not tried: every change is made to a copy of the policies or of the request, and
`decide` must then allow.
"""

from __future__ import annotations

import msgspec

from keystead.policy.evaluate import decide
from keystead.policy.explain import DecidedBy
from keystead.policy.policyset import Policies
from keystead.policy.request import AuthorizationRequest
from keystead.policy.why.additions import Change
from keystead.policy.why.changes import smallest
from keystead.policy.why.near import Considered, Unmet, near
from keystead.policy.why.places import label

__all__ = ["Change", "Considered", "Explanation", "Unmet", "explain_decision", "label"]


class Explanation(msgspec.Struct, frozen=True):
    """`changes` together would allow the request; it is empty if nothing that was tried does."""

    effect: str
    decided_by: DecidedBy
    message: str | None
    considered: tuple[Considered, ...]
    changes: tuple[Change, ...]


def explain_decision(request: AuthorizationRequest, policies: Policies) -> Explanation:
    """Why the request is refused with these policies."""
    decision = decide(request, policies)
    changes = () if decision.allowed else smallest(request, policies, decision)
    return Explanation(
        decision.effect, decision.decided_by, decision.message, near(request, policies), changes
    )
