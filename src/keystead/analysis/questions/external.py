"""Who from outside may use a key: every principal entry and grantee beyond the zone of trust that gets in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from keystead.analysis import grants as symbolic
from keystead.analysis.actions import spelt
from keystead.analysis.budget import Budget
from keystead.analysis.compiled import BoxedStatement, boxed, with_callers
from keystead.analysis.condition_keys import CALLER_KEYS
from keystead.analysis.decode import bits, confirmed
from keystead.analysis.effective import ASKED, CROSS_ACCOUNT, Key
from keystead.analysis.questions.outside import Opening
from keystead.analysis.questions.public import public_access
from keystead.analysis.questions.zone import controls, denied_by, denies, held_only, only_members
from keystead.analysis.solver import Box, Part, remainders
from keystead.analysis.space import ACTION, Space, Universe
from keystead.policy import grants
from keystead.policy.compiled import compile_policy
from keystead.policy.document import EVERYONE, Document, PrincipalElement, Statement
from keystead.policy.evaluate import decide
from keystead.policy.policyset import Policies
from keystead.policy.principal import naming
from keystead.policy.request import AuthorizationRequest, ChildGrant, Principal

_ALL: Final = compile_policy(Document((Statement(effect="Allow", actions=("*",), resources=("*",)),)))
"""What the policies of an account outside say is not known: at worst, everything."""


def external_access(key: Key, zone: frozenset[str], organization: str = "") -> tuple[Opening, ...]:
    """Every way in from outside the accounts of the zone; none proves that there is none.

    AWS services are not outsiders here: what they do for whom is a question of conditions. `organization` is the id
    of the one that the zone is, if it is one: nobody outside is its member.

    Raises:
        Undecided: it is neither proven nor refuted.
        AnalysisFault: the evaluator contradicts the analysis.
    """
    budget = Budget()
    named = symbolic.context_names([key.policy], key.grants)
    granted = {grant.grant_id: symbolic.as_policy(grant, named) for grant in key.grants if grant.active}
    entries = [*_in_policy(key), *_in_grants(key)]
    grantees = tuple(grant.grantee for grant in key.grants)
    rcps, members = controls(key.resource_control), only_members(organization)
    space = Space(
        [key.policy, *granted.values(), *rcps],
        Universe(kms_only=True, resource=key.arn, strict=True, known={"aws:resourceaccount": key.account}),
        budget,
        probes=members,
        caller_probes=[outside(zone), *(names for _, names, _ in entries)],
        elements=[PrincipalElement(aws=grantees)],
        acting=ASKED & CROSS_ACCOUNT,
    )
    barred = [*space.impossible, *held_only(space, members), *denied_by(space, (key.policy, *rcps))]
    public = {one.statement for one in public_access(key.policy, Universe(kms_only=True), budget)}
    statements = {one.number: one for one in boxed(space, key.policy, None).allows}
    found = []
    for number, (name, _, place) in enumerate(entries, 1):
        callers = space.probed(0) & space.probed(number)
        if isinstance(place, int):
            held: Sequence[BoxedStatement] = [statements[place]] if place in statements else []
        else:
            held = boxed(space, granted[place], None).allows if place in granted else []
        for one in held:
            boxes = [box for box in [with_callers(one.box, callers)] if box is not None]
            outcome = _operations(space, boxes, barred, key, budget)
            if outcome:
                found.append(_external(name, place, one, outcome, public))
    return tuple(found)


def _in_policy(key: Key) -> Iterator[tuple[str, Callable[[Principal], int], int | str]]:
    """The principal entries of the policy's Allow statements: the name, whom it names, and the statement."""
    for statement in key.policy.statements:
        written = key.policy.document.statements[statement.index]
        if statement.effect == "Allow" and written.not_principal is not None:
            yield EVERYONE, statement.name, statement.index
        elif statement.effect == "Allow" and written.principal is not None:
            for entry in written.principal.aws:
                yield entry, naming(PrincipalElement(aws=(entry,)), key.policy.bound), statement.index


def _in_grants(key: Key) -> Iterator[tuple[str, Callable[[Principal], int], int | str]]:
    for grant in key.grants:
        yield grant.grantee, grantee_probe(grant.grantee, grant.grantee_id), grant.grant_id


def grantee_probe(entry: str, identity: str) -> Callable[[Principal], int]:
    """Tells whether the grantee of a grant is the caller."""
    return lambda caller: grants.names(entry, caller, identity)


def outside(zone: frozenset[str]) -> Callable[[Principal], int]:
    """Tells whether a caller is of an account that is not in the zone; AWS services are of none."""
    return lambda caller: bool(caller.account) and caller.account not in zone


def _operations(
    space: Space, boxes: Sequence[Box], barred: Sequence[Part], key: Key, budget: Budget
) -> dict[str, AuthorizationRequest]:
    """The operations that work across accounts and are let in, each with a request that shows it."""
    found: dict[str, AuthorizationRequest] = {}
    for box in boxes:
        for number in bits(box[ACTION] & space.acting):
            names = [spelt(one) for one in space.actions.members[number]]
            one_action = (*box[:ACTION], 1 << number, *box[ACTION + 1 :])
            left = remainders(one_action, barred, budget)
            witness = confirmed(space, left, lambda request: confirms(key, request), budget)
            if witness is not None:
                found |= {name: msgspec.structs.replace(witness, action=name) for name in names}
    return found


def confirms(key: Key, request: AuthorizationRequest) -> bool:
    """Whether the enforcing evaluator allows the request of a caller whose own account allows it everything.

    What RCPs deny is refused; that each of their levels allows is left aside, as AWS's own always do.
    """
    if denies(controls(key.resource_control), request):
        return False
    policies = Policies(resource=key.policy, grants=key.grants, identity=(_ALL,), session=(_ALL,))
    children = [ChildGrant(), *(ChildGrant(constraints=grant.constraints) for grant in key.grants)]
    return any(decide(msgspec.structs.replace(request, child=child), policies).allowed for child in children)


def _external(
    name: str,
    place: int | str,
    one: BoxedStatement,
    operations: dict[str, AuthorizationRequest],
    public: set[int],
) -> Opening:
    written = one.policy.document.statements[one.number]
    in_policy = isinstance(place, int)
    return Opening(
        principal=name,
        actions=tuple(sorted(operations)),
        conditions=tuple(
            one for one in written.conditions if one.key.lower() not in CALLER_KEYS or in_policy
        ),
        witness=operations[min(operations)],
        statement=place if isinstance(place, int) else None,
        sid=one.statement.sid if in_policy else None,
        grant_id=place if isinstance(place, str) else None,
        public=in_policy and one.number in public,
    )
