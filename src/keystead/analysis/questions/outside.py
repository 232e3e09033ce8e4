"""Who from outside gets in by the policy of a resource that is no key: a bucket, or a role that can be assumed.

A federated provider of identities is outside whatever account keeps it: who signs in there is its own affair. AWS services
are not. What the policies of an account outside say is not known: at worst, everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from keystead.analysis.budget import Budget
from keystead.analysis.compiled import BoxedStatement, boxed, with_callers
from keystead.analysis.decode import bits, confirmed
from keystead.analysis.evaluate import admits
from keystead.analysis.questions.public import public_access
from keystead.analysis.questions.zone import controls, denied_by, denies, held_only, only_members
from keystead.analysis.solver import Box, remainders
from keystead.analysis.space import ACTION, Space, Universe
from keystead.arn import account_in
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import EVERYONE, Condition, Document, PrincipalElement, Statement
from keystead.policy.policyset import Level
from keystead.policy.principal import naming
from keystead.policy.request import AuthorizationRequest, Principal, Value

Probe = Callable[[Principal], int]
Kind = Literal["AWS", "Federated"]

SIGNING_IN: Final = frozenset({"sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"})
ASSUMING: Final = SIGNING_IN | {"sts:AssumeRole"}
"""By what a role is taken on; by SIGNING_IN from a provider of identities."""


class Guarded(msgspec.Struct, frozen=True, kw_only=True):
    """A resource with its policy.

    Attributes:
        actions: what can be done with it, by full names; nothing else lets anybody in.
        known: condition keys whose value is known.
        resource_control: the RCPs of its account, from the organization's root down.
    """

    policy: CompiledPolicy
    actions: frozenset[str]
    known: Mapping[str, Value | None] = {}
    resource_control: tuple[Level, ...] = ()


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """One principal entry of an Allow statement, or the grantee of a grant, that is let in from outside.

    `public`: the statement lets in anybody at all.
    """

    kind: Kind = "AWS"
    principal: str
    actions: tuple[str, ...]
    conditions: tuple[Condition, ...]
    witness: AuthorizationRequest
    statement: int | None = None
    sid: str | None = None
    grant_id: str | None = None
    public: bool = False


class _Entry(msgspec.Struct, frozen=True):
    kind: Kind
    principal: str
    probe: Probe
    statement: int


def outside_access(guarded: Guarded, zone: frozenset[str], organization: str = "") -> tuple[Opening, ...]:
    """Every way in from outside the accounts of the zone; none proves that there is none.

    Raises:
        Undecided: it is neither proven nor refuted.
        AnalysisFault: the evaluator contradicts the analysis.
    """
    return tuple(_Search(guarded, zone, organization).found())


class _Search:
    """The policy's statements as boxes, and what is taken away from them."""

    def __init__(self, guarded: Guarded, zone: frozenset[str], organization: str) -> None:
        self._guarded, self._budget = guarded, Budget()
        policy = guarded.policy
        self._rcps, members = controls(guarded.resource_control), only_members(organization)
        self._entries = [*_entries(policy)]
        asked = compile_policy(
            Document(
                (Statement(effect="Allow", actions=tuple(sorted(guarded.actions)), resources=(EVERYONE,)),)
            )
        )
        universe = Universe(known=guarded.known)
        self._space = space = Space(
            [policy, *self._rcps, asked],
            universe,
            self._budget,
            probes=members,
            caller_probes=[lambda caller: outsider(caller, zone), *(entry.probe for entry in self._entries)],
        )
        self._denies = [
            *space.impossible,
            *held_only(space, members),
            *denied_by(space, (policy, *self._rcps)),
        ]
        (every,) = boxed(space, asked, None).allows
        self._acting = every.box[ACTION]
        self._public = {one.statement for one in public_access(policy, Universe(), self._budget)}

    def found(self) -> Iterator[Opening]:
        """Each entry that is let in."""
        statements = {one.number: one for one in boxed(self._space, self._guarded.policy, None).allows}
        for number, entry in enumerate(self._entries, 1):
            held = statements.get(entry.statement)
            callers = self._space.probed(0) & self._space.probed(number)
            box = None if held is None else with_callers(held.box, callers)
            done = {} if box is None else self._actions(box)
            done = {name: witness for name, witness in done.items() if _fits(entry, name)}
            if held is not None and done:
                yield self._opening(entry, held, done)

    def _actions(self, box: Box) -> dict[str, AuthorizationRequest]:
        """The actions that are let in, each with a request that shows it."""
        names = {name.lower(): name for name in self._guarded.actions}
        done: dict[str, AuthorizationRequest] = {}
        for number in bits(box[ACTION] & self._acting):
            members = [names[one] for one in self._space.actions.members[number] if one in names]
            left = remainders((*box[:ACTION], 1 << number, *box[ACTION + 1 :]), self._denies, self._budget)
            witness = confirmed(self._space, left, self._confirms, self._budget)
            if witness is not None:
                done |= {name: msgspec.structs.replace(witness, action=name) for name in members}
        return done

    def _confirms(self, request: AuthorizationRequest) -> bool:
        return admits(self._guarded.policy, request) and not denies(self._rcps, request)

    def _opening(self, entry: _Entry, held: BoxedStatement, done: dict[str, AuthorizationRequest]) -> Opening:
        written = self._guarded.policy.document.statements[entry.statement]
        return Opening(
            kind=entry.kind,
            principal=entry.principal,
            actions=tuple(sorted(done)),
            conditions=written.conditions,
            witness=done[min(done)],
            statement=entry.statement,
            sid=held.statement.sid,
            public=entry.statement in self._public,
        )


def _fits(entry: _Entry, action: str) -> bool:
    """Whether such a principal can do it at all: identities of a provider sign in, nobody else does so."""
    if entry.principal == EVERYONE or not action.lower().startswith("sts:assumerole"):
        return True
    return action.lower().startswith("sts:assumerolewith") == (entry.kind == "Federated")


def _entries(policy: CompiledPolicy) -> Iterator[_Entry]:
    """The principal entries of the Allow statements."""
    for statement in policy.statements:
        written = policy.document.statements[statement.index]
        if statement.effect != "Allow":
            continue
        if written.not_principal is not None:
            yield _Entry("AWS", EVERYONE, statement.name, statement.index)
        elif written.principal is not None:
            yield from _of_element(written.principal, policy, statement.index)


def _of_element(element: PrincipalElement, policy: CompiledPolicy, index: int) -> Iterator[_Entry]:
    for entry in element.aws:
        yield _Entry("AWS", entry, naming(PrincipalElement(aws=(entry,)), policy.bound), index)
    for entry in element.federated:
        yield _Entry("Federated", entry, naming(PrincipalElement(federated=(entry,)), policy.bound), index)


def outsider(caller: Principal, zone: frozenset[str]) -> bool:
    """Whether a caller is of an account that is not in the zone, or comes from a provider of identities that is not."""
    if caller.type == "webIdentity":
        return caller.provider not in zone
    return bool(caller.account) and caller.account not in zone


def names_outsiders(policy: CompiledPolicy, zone: frozenset[str]) -> bool:
    """Whether an Allow statement may name somebody from outside; never too seldom."""
    return any(one.effect == "Allow" and _may_name(one, zone) for one in policy.document.statements)


def about_outsiders(policy: CompiledPolicy, zone: frozenset[str]) -> CompiledPolicy:
    """The policy without the statements, Deny or Allow, that name nobody from outside."""
    written = policy.document.statements
    left = tuple(one for one in policy.statements if _may_name(written[one.index], zone))
    return CompiledPolicy(left, policy.name, policy.document, policy.bound)


def _may_name(statement: Statement, zone: frozenset[str]) -> bool:
    if statement.not_principal is not None:
        return True
    return statement.principal is not None and _names(statement.principal, zone)


def _names(element: PrincipalElement, zone: frozenset[str]) -> bool:
    accounts = (account_in(entry) or entry for entry in element.aws)
    return any(one not in zone for one in (*accounts, *element.federated))
