"""Does a role's trust policy let anybody from outside take it on who could not before?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from keystead.analysis.budget import Budget
from keystead.analysis.compiled import BoxedStatement, boxed, parts, with_callers
from keystead.analysis.decode import confirmed
from keystead.analysis.evaluate import admits, denied
from keystead.analysis.questions.outside import ASSUMING, SIGNING_IN, names_outsiders, outsider
from keystead.analysis.questions.zone import controls, denied_by, denies
from keystead.analysis.solver import Box, remainders
from keystead.analysis.space import ACTION, Space, Universe
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import EVERYONE, Document, Statement
from keystead.policy.policyset import Level
from keystead.policy.request import AuthorizationRequest

_ASKED: Final = tuple(
    compile_policy(
        Document((Statement(effect="Allow", actions=tuple(sorted(names)), resources=(EVERYONE,)),))
    )
    for names in (ASSUMING - SIGNING_IN, SIGNING_IN)
)
"""What callers of accounts ask for, and what identities of providers do."""
_NAMES: Final = {name.lower(): name for name in ASSUMING}


class Trust(msgspec.Struct, frozen=True):
    """Who may take on a role: its trust policy, and the RCPs of its account, from the organization's root down."""

    policy: CompiledPolicy
    resource_control: tuple[Level, ...] = ()


NOBODY: Final = Trust(compile_policy(Document(())))
"""The trust of a role that is not there."""


class TakenOn(msgspec.Struct, frozen=True):
    """The statement of a trust policy that lets somebody from outside take on the role, with a request that shows it."""

    witness: AuthorizationRequest
    statement: int
    sid: str | None


def taken_on(before: Trust, after: Trust, role: str, zone: frozenset[str], budget: Budget) -> TakenOn | None:
    """How somebody from outside the zone may take on the role who might not before; None proves that nobody may.

    What the policies of an account outside say is not known: at worst, everything.

    Raises:
        Undecided: it is neither proven nor refuted.
        AnalysisFault: the evaluator contradicts the analysis.
    """
    if not names_outsiders(after.policy, zone):
        return None
    return _Change(before, after, role, zone, budget).found()


class _Change:
    """Both states of a role's trust as boxes of one space."""

    def __init__(self, before: Trust, after: Trust, role: str, zone: frozenset[str], budget: Budget) -> None:
        self._before, self._after, self._budget = before, after, budget
        rcps = controls(before.resource_control), controls(after.resource_control)
        self._space = space = Space(
            list(dict.fromkeys((before.policy, after.policy, *rcps[0], *rcps[1], *_ASKED))),
            Universe(resource=role),
            budget,
            caller_probes=[
                lambda caller: caller.type != "webIdentity" and outsider(caller, zone),
                lambda caller: caller.type == "webIdentity" and outsider(caller, zone),
            ],
        )
        was, now = boxed(space, before.policy), boxed(space, after.policy)
        self._allows = now.allows
        self._barred = [*space.impossible, *denied(space, now), *denied_by(space, rcps[1])]
        self._allowed_before = parts(space, was.allows)
        self._denied_before = [*denied(space, was), *denied_by(space, rcps[0])]

    def found(self) -> TakenOn | None:
        """The first statement by which somebody may take on the role anew."""
        for one in self._allows:
            for box in self._asking(one):
                witness = confirmed(self._space, self._anew(box), self._confirms, self._budget)
                if witness is not None:
                    return TakenOn(_spelt(witness), one.number, one.statement.sid)
        return None

    def _asking(self, one: BoxedStatement) -> Iterator[Box]:
        """What outsiders can ask of it: callers of accounts in one way, identities of providers in another."""
        for probe, asked in enumerate(_ASKED):
            (every,) = boxed(self._space, asked, None).allows
            box = with_callers(one.box, self._space.probed(probe))
            acting = 0 if box is None else box[ACTION] & every.box[ACTION]
            if box is not None and acting:
                yield (*box[:ACTION], acting, *box[ACTION + 1 :])

    def _anew(self, box: Box) -> Iterator[Box]:
        """What of the box was not allowed before, and then what was denied before."""
        yield from remainders(box, [*self._barred, *self._allowed_before], self._budget)
        for deny in self._denied_before:
            both = deny.of(box)
            if both is not None:
                yield from remainders(both, self._barred, self._budget)

    def _confirms(self, request: AuthorizationRequest) -> bool:
        return _lets_in(self._after, request) and not _lets_in(self._before, request)


def _spelt(request: AuthorizationRequest) -> AuthorizationRequest:
    """The request with its action's name as AWS writes it."""
    return msgspec.structs.replace(request, action=_NAMES[request.action.lower()])


def _lets_in(trust: Trust, request: AuthorizationRequest) -> bool:
    return admits(trust.policy, request) and not denies(controls(trust.resource_control), request)
