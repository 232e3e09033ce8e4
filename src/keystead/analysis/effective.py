"""What one caller may do with one key when all policies and grants are put together.

The symbolic twin of `policy.evaluate.decide`, step by step, for a caller who is known. RetireGrant, which the grant
alone decides, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from keystead import arn
from keystead.analysis import grants as symbolic
from keystead.analysis.budget import Budget
from keystead.analysis.compiled import ANY_WAY, BoxedStatement, boxed
from keystead.analysis.condition import Test
from keystead.analysis.settled import Known, asked_for, known_tags, settled
from keystead.analysis.solver import Box, Part, common
from keystead.analysis.space import ACTION, Space, Universe
from keystead.policy import grants
from keystead.policy.actions import ACTIONS
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.document import Condition
from keystead.policy.explain import PolicyType
from keystead.policy.policyset import Level, Policies, applicable
from keystead.policy.principal import ACCOUNT, DIRECT, THROUGH_ISSUER
from keystead.policy.request import AuthorizationRequest, Grant, Principal, ResourceDescription, Value

ASKED: Final = frozenset(
    name.lower() for name, row in ACTIONS.items() if "key" in row.targets and name != "kms:RetireGrant"
)
"""The actions that are asked on a key and that policies decide, in lower case."""
CROSS_ACCOUNT: Final = frozenset(name.lower() for name, row in ACTIONS.items() if row.cross_account)
_WITHOUT_IDENTITY: Final = frozenset({"service", "webIdentity"})
FOR_SERVICES: Final = Test(Condition("Bool", "kms:GrantIsForAWSResource", ("true",)), with_variables=False)
"""Whether a grant is made by a service for its resource."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The key's side: its policy and grants, and the RCPs of its account, from the organization's root down.

    `tags`: None if they are not known, and any may be there.
    `described`: condition keys that tell of the key where a check has them, with their values (None: it has none).
    """

    arn: str
    account: str
    policy: CompiledPolicy
    grants: tuple[Grant, ...] = ()
    resource_control: tuple[Level, ...] = ()
    tags: Mapping[str, str] | None = None
    described: Mapping[str, Value | None] = {}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A caller and the policies on its side.

    `assumed`: what its own account says is not known, and is taken to allow everything.
    `tagged`: the principal has the tags that it shows and no others; else any.
    `trust`: for a role, who may take it on, if that is known.
    `known`: condition keys that every request of the caller has with this value (None: has not).
    """

    principal: Principal
    policies: Policies = Policies()
    assumed: bool = False
    tagged: bool = False
    trust: CompiledPolicy | None = None
    known: Mapping[str, Value | None] = {}


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """A statement or grant that lets the caller in."""

    policy_type: PolicyType
    policy: str | None = None
    statement: int | None = None
    sid: str | None = None
    conditions: tuple[Condition, ...] = ()


class Way(msgspec.Struct, frozen=True):
    """One way in: the requests, before anything is denied, and what allows them."""

    box: Box
    sources: tuple[Source, ...]


class Effective:
    """What one caller may do with a key, as ways in and what is denied."""

    def __init__(self, key: Key, standing: Standing, budget: Budget) -> None:
        self._key = key
        self._caller = standing.principal
        self._budget = budget
        held = msgspec.structs.replace(
            standing.policies, resource=key.policy, grants=key.grants, resource_control=key.resource_control
        )
        probe = AuthorizationRequest(
            principal=self._caller, action="kms:Decrypt", resource=key.arn, account=key.account, context={},
            description=ResourceDescription(trust="keyPolicy"),
        )  # fmt: skip
        self.policies = held
        known = _known(key, standing)
        self._held = _settled(applicable(probe, held), known)
        self._policy = settled(key.policy, known)
        names = symbolic.context_names(_all(self._held), key.grants)
        self._granted = {grant.grant_id: symbolic.as_policy(grant, names) for grant in key.grants}
        self.space = Space(
            [*_all(self._held), *self._granted.values()],
            _universe(key, standing),
            budget,
            probes=[FOR_SERVICES],
            acting=ASKED if self._caller.account in ("", key.account) else ASKED & CROSS_ACCOUNT,
        )
        self.denies = [*self.space.impossible, *self._denied()]
        self.ways = [way for way in self._combined() if way.box[ACTION]]

    # 2. what is denied, in any policy

    def _denied(self) -> Iterator[Part]:
        bounded = self._held.boundary is not None
        for policy in _all(self._held):
            naming = policy in _naming(self._held)
            for one in boxed(self.space, policy, None).denies:
                named = one.statement.name(self._caller) or (bounded and one.statement.not_principal)
                if named or not naming:
                    yield self.space.part(one.box)

    # 3. what every level must allow

    def _guarded(self, boxes: Sequence[Box]) -> list[Box]:
        found = list(boxes)
        for level in self._held.resource_control:
            found = common(found, self._parts(level.policies, naming=True), self._budget)
        for level in self._held.service_control:
            found = common(found, self._parts(level.policies, naming=False), self._budget)
        return found

    def _parts(self, policies: Iterable[CompiledPolicy], *, naming: bool) -> list[Part]:
        return [
            self.space.part(one.box)
            for policy in policies
            for one in boxed(self.space, policy, ANY_WAY if naming else None).allows
        ]

    # 5. the resource side

    def _by_policy(self, ways: int) -> list[Way]:
        found = boxed(self.space, self._policy, ways).allows
        return [Way(one.box, (_source("resource", one),)) for one in found]

    def _by_grant(self, ways: int) -> list[Way]:
        return [
            Way(one.box, (_source("grant", one),))
            for grant in self._key.grants
            if grant.active and grants.names(grant.grantee, self._caller, grant.grantee_id) & ways
            for one in boxed(self.space, self._granted[grant.grant_id], None).allows
        ]

    # 6. the identity side

    def _identity(self) -> list[Way]:
        """What identity policies allow, within boundary and session policy."""
        if self._caller.type == "root":
            return [Way(self.space.full, (Source("identity", "the root user needs none"),))]
        held: tuple[tuple[PolicyType, tuple[CompiledPolicy, ...]], ...] = (
            ("identity", self._held.identity),
            ("group", self._held.group),
        )
        found = [
            Way(one.box, (_source(kind, one),))
            for kind, policies in held
            for policy in policies
            for one in boxed(self.space, policy, None).allows
        ]
        return self._limited(found)

    def _limited(self, ways: Sequence[Way]) -> list[Way]:
        """The ways within boundary and session policy."""
        found = list(ways)
        limits: list[tuple[CompiledPolicy, ...]] = []
        if self._held.boundary is not None:
            limits.append((self._held.boundary,))
        if self._held.session or self._caller.type == "federatedUser":
            limits.append(self._held.session)
        for policies in limits:
            parts = self._parts(policies, naming=False)
            found = [Way(box, way.sources) for way in found for box in common([way.box], parts, self._budget)]
        return found

    # 7. together

    def _combined(self) -> Iterator[Way]:
        for way in self._together():
            for box in self._guarded([way.box]):
                acting = box[ACTION] & self.space.acting
                yield Way((*box[:ACTION], acting, *box[ACTION + 1 :]), way.sources)

    def _together(self) -> Iterator[Way]:
        direct = self._by_policy(DIRECT)
        if self._caller.type in _WITHOUT_IDENTITY:
            yield from (*direct, *self._by_grant(DIRECT))
        elif self._caller.account == self._key.account:
            yield from (*direct, *self._by_grant(DIRECT))
            yield from self._limited(self._by_policy(THROUGH_ISSUER))
            if self._caller.type != "root":  # whom the account's name names directly
                account = [*self._by_policy(ACCOUNT), *self._by_grant(ACCOUNT)]
                yield from self._both(account, self._identity())
        else:
            yield from self._by_grant(DIRECT)
            sides = [*self._by_policy(ANY_WAY), *self._by_grant(ACCOUNT)]
            yield from self._both(sides, self._identity())

    def _both(self, ways: Sequence[Way], others: Sequence[Way]) -> Iterator[Way]:
        self._budget.spend(len(ways) * len(others))
        for one in ways:
            part = self.space.part(one.box)
            for other in others:
                box = part.of(other.box)
                if box is not None:
                    yield Way(box, (*one.sources, *other.sources))


def tags_of(key: Key, standing: Standing) -> dict[str, Value | None]:
    """The tags of both that policies speak of, None for those that are known to be absent."""
    held = msgspec.structs.replace(
        standing.policies, resource=key.policy, resource_control=key.resource_control
    )
    return asked_for(_all(held), _known(key, standing))


def _known(key: Key, standing: Standing) -> Known:
    return known_tags(key.tags, standing.principal if standing.tagged else None)


def _settled(policies: Policies, known: Known) -> Policies:
    """Every policy with what is known decided."""

    def each(some: Iterable[CompiledPolicy]) -> tuple[CompiledPolicy, ...]:
        return tuple(settled(one, known) for one in some)

    def levels(some: Iterable[Level]) -> tuple[Level, ...]:
        return tuple(Level(each(level.policies)) for level in some)

    return msgspec.structs.replace(
        policies,
        resource=None if policies.resource is None else settled(policies.resource, known),
        identity=each(policies.identity),
        group=each(policies.group),
        boundary=None if policies.boundary is None else settled(policies.boundary, known),
        session=each(policies.session),
        service_control=levels(policies.service_control),
        resource_control=levels(policies.resource_control),
    )


def _universe(key: Key, standing: Standing) -> Universe:
    tags = tags_of(key, standing)
    return Universe(
        kms_only=True,
        resource=key.arn,
        callers=(standing.principal,),
        known={
            **standing.known,
            **tags,
            "aws:resourceaccount": key.account,
            "aws:requestedregion": arn.parse(key.arn).region,
        },
        described=key.described,
        facts={name: value for name, value in tags.items() if value is not None},
        strict=True,
    )


def _all(policies: Policies) -> list[CompiledPolicy]:
    """Every policy that has a say, once."""
    levels = (*policies.service_control, *policies.resource_control)
    held = [
        policies.resource, *policies.identity, *policies.group, policies.boundary, *policies.session,
        *(policy for level in levels for policy in level.policies),
    ]  # fmt: skip
    return list({id(policy): policy for policy in held if policy is not None}.values())


def _naming(policies: Policies) -> list[CompiledPolicy | None]:
    """Those whose statements name callers."""
    return [policies.resource, *(policy for level in policies.resource_control for policy in level.policies)]


def _source(kind: PolicyType, one: BoxedStatement) -> Source:
    written = one.policy.document.statements[one.number]
    if kind == "grant":
        return Source(kind, one.policy.name, None, None, written.conditions)
    return Source(kind, one.policy.name, one.number, one.statement.sid, written.conditions)
