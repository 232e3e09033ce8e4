"""Does a change of a key's policy or grants let anybody in from outside who was not let in before?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from keystead.analysis import grants as symbolic
from keystead.analysis.budget import Budget
from keystead.analysis.compiled import BoxedStatement, boxed, parts, with_callers
from keystead.analysis.decode import confirmed
from keystead.analysis.effective import ASKED, CROSS_ACCOUNT, Key
from keystead.analysis.evaluate import denied
from keystead.analysis.questions.external import confirms, grantee_probe, outside
from keystead.analysis.questions.outside import about_outsiders
from keystead.analysis.questions.zone import Side, denied_by, side
from keystead.analysis.settled import known_tags
from keystead.analysis.solver import Box, Part, remainders
from keystead.analysis.space import ACTION, Space, Universe
from keystead.arn import account_in
from keystead.policy.compiled import compile_policy
from keystead.policy.document import Document, PrincipalElement
from keystead.policy.request import AuthorizationRequest, Grant

_NOTHING: Final = Side(compile_policy(Document(())), (), {})
"""What there is of a key that is not there."""


class Opened(msgspec.Struct, frozen=True):
    """A statement or grant by which a caller from outside may do what it might not before, with a request that shows it."""

    witness: AuthorizationRequest
    statement: int | None = None
    sid: str | None = None
    grant_id: str | None = None


def opened(before: Key | None, after: Key, zone: frozenset[str], budget: Budget) -> tuple[Opened, ...]:
    """Every Allow statement and grant that newly lets in from outside the zone; none proves that nothing is new.

    What the policies of an account outside say is not known: at worst, everything. AWS services are not outsiders.

    Raises:
        Undecided: it is neither proven nor refuted.
        AnalysisFault: the evaluator contradicts the analysis.
    """
    return tuple(_Change(before, after, zone, budget).found())


class _Change:
    """Both states of a key as boxes of one space."""

    def __init__(self, before: Key | None, after: Key, zone: frozenset[str], budget: Budget) -> None:
        self._before, self._after, self._budget = before, after, budget
        was = _NOTHING if before is None else _for_outsiders(side(before), zone)
        now = _for_outsiders(side(after), zone)
        self._grants = {
            one.grant_id: one
            for key in (before, after)
            if key is not None
            for one in key.grants
            if account_in(one.grantee) not in zone
        }
        names = symbolic.context_names([was.policy, now.policy], self._grants.values())
        self._granted = {name: symbolic.as_policy(one, names) for name, one in self._grants.items()}
        self._probed = {name: number for number, name in enumerate(self._grants, 1)}
        self.space = Space(
            list(
                dict.fromkeys((was.policy, now.policy, *self._granted.values(), *was.controls, *now.controls))
            ),
            Universe(
                kms_only=True,
                resource=after.arn,
                strict=True,
                known={"aws:resourceaccount": after.account},
                facts=now.facts,
            ),
            budget,
            caller_probes=[
                outside(zone),
                *(grantee_probe(one.grantee, one.grantee_id) for one in self._grants.values()),
            ],
            elements=[PrincipalElement(aws=tuple(one.grantee for one in self._grants.values()))],
            acting=ASKED & CROSS_ACCOUNT,
        )
        self._old, self._new = boxed(self.space, was.policy), boxed(self.space, now.policy)
        self._denied_before = [*denied(self.space, self._old), *denied_by(self.space, was.controls)]
        self._barred = [
            *self.space.impossible,
            *denied(self.space, self._new),
            *denied_by(self.space, now.controls),
        ]

    def found(self) -> Iterator[Opened]:
        """Each statement and grant that lets somebody in anew."""
        for one in self._new.allows:
            witness = self._witness(one)
            if witness is not None:
                yield Opened(witness, one.number, one.statement.sid)
        for grant in self._after.grants:
            for one in self._by_grant(grant) if grant.grant_id in self._grants else ():
                witness = self._witness(one)
                if witness is not None:
                    yield Opened(witness, grant_id=grant.grant_id)
                    break

    def _by_grant(self, grant: Grant) -> Iterator[BoxedStatement]:
        callers = self.space.probed(self._probed[grant.grant_id])
        for one in boxed(self.space, self._granted[grant.grant_id], None).allows:
            box = with_callers(one.box, callers)
            if grant.active and box is not None:
                yield msgspec.structs.replace(one, box=box)

    def _witness(self, one: BoxedStatement) -> AuthorizationRequest | None:
        box = with_callers(one.box, self.space.probed(0))
        acting = 0 if box is None else box[ACTION] & self.space.acting
        if box is None or not acting:
            return None
        box = (*box[:ACTION], acting, *box[ACTION + 1 :])
        return confirmed(self.space, self._anew(box), self._confirms, self._budget)

    def _anew(self, box: Box) -> Iterator[Box]:
        """What of the box was not allowed before, and then what was denied before."""
        yield from remainders(box, [*self._barred, *self._allowed_before()], self._budget)
        for deny in self._denied_before:
            both = deny.of(box)
            if both is not None:
                yield from remainders(both, self._barred, self._budget)

    def _allowed_before(self) -> list[Part]:
        if self._before is None:
            return []
        own = (grant for grant in self._before.grants if grant.grant_id in self._grants)
        by_grant = [one for grant in own for one in self._by_grant(grant)]
        return parts(self.space, (*self._old.allows, *by_grant))

    def _confirms(self, request: AuthorizationRequest) -> bool:
        before = self._before
        return confirms(self._after, request) and (before is None or not _confirmed_at(before, request))


def _for_outsiders(there: Side, zone: frozenset[str]) -> Side:
    """The key's side without the statements that name nobody from outside: they would only make more work."""
    return msgspec.structs.replace(
        there,
        policy=about_outsiders(there.policy, zone),
        controls=tuple(about_outsiders(one, zone) for one in there.controls),
    )


def _confirmed_at(key: Key, request: AuthorizationRequest) -> bool:
    """Whether the evaluator allows the request where the key has the tags that it has in this state."""
    known = known_tags(key.tags)
    context = request.context if isinstance(request.context, dict) else {}
    others = {name: value for name, value in context.items() if not known.speaks_of(name)}
    return confirms(key, msgspec.structs.replace(request, context={**others, **dict(known.values)}))
