"""Unused access: roles that nobody assumed, access keys that nobody used, and permissions of users and roles in use.

Who is younger than the analyzer's days has not had the time to use anything and is left out. What a principal is permitted is
what the policies on its side allow on some resource under some condition; a Deny counts if it always holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from keystead.api.directory import ROLES, USERS, credentials_of
from keystead.api.guardrails import place_of
from keystead.api.reading import Reading
from keystead.api.standing import policies_held
from keystead.api.usage import CALLER_USE
from keystead.identity import Role, User
from keystead.policy import CompiledPolicy, Policies
from keystead.policy.document import EVERYONE
from keystead.services.accessanalyzer.examine import zone_of
from keystead.services.accessanalyzer.settle import id_of
from keystead.services.accessanalyzer.tables import Analyzer, Finding, Unused
from keystead.services.accessanalyzer.used import BY_ACTION, SERVICES, Evidence, permissions_of
from keystead.storage import Transaction

ROLE: Final = "UnusedIAMRole"
ACCESS_KEY: Final = "UnusedIAMUserAccessKey"
PASSWORD: Final = "UnusedIAMUserPassword"  # noqa: S105 - the name of a type of findings
"""Never found: users have no passwords here."""
PERMISSION: Final = "UnusedPermission"
_DAY: Final = 86_400.0


class Look:
    """One look at the users and roles of an account, or of an organization's."""

    def __init__(self, tx: Transaction, analyzer: Analyzer, evidence: Evidence, now: float) -> None:
        self._tx, self._analyzer, self._evidence, self._now = tx, analyzer, evidence, now
        self._since = now - analyzer.age * _DAY

    def holders(self) -> Iterator[User | Role]:
        """Who is looked at."""
        for account in sorted(zone_of(self._tx, self._analyzer).accounts):
            roles = (role for _, role in self._tx.scan(ROLES, f"{account}/") if not role.service_linked)
            users = (user for _, user in self._tx.scan(USERS, f"{account}/"))
            everybody: tuple[User | Role, ...] = (*roles, *users)
            for one in everybody:
                if one.created <= self._since and not self._excluded(one):
                    yield one

    def _excluded(self, holder: User | Role) -> bool:
        if _has_one(holder.tags, self._analyzer.exclusions):
            return True
        spared = (one for one in self._analyzer.spared if holder.account in one.accounts)
        return any(not one.tags or _has_one(holder.tags, one.tags) for one in spared)

    def found(self, holder: User | Role) -> list[Finding]:
        """What the user or role does not use."""
        if isinstance(holder, Role):
            last = max(self._used(holder.account, holder.id), self._evidence.principal(holder.arn))
            if last < self._since:
                return [self._finding(holder, ROLE, (Unused(last=last),))]
            return [*self._permissions(holder)]
        return [*self._keys(holder), *self._permissions(holder)]

    def _used(self, account: str, who: str) -> float:
        use = self._tx.get(CALLER_USE, f"{account}/{who}")
        return 0.0 if use is None else use.at

    def _keys(self, user: User) -> Iterator[Finding]:
        for key in credentials_of(self._tx, user.account, user.id):
            last = max(
                self._used(user.account, key.access_key_id), self._evidence.access_key(key.access_key_id)
            )
            if key.active and key.created <= self._since and last < self._since:
                unused = Unused(access_key=key.access_key_id, last=last)
                yield self._finding(user, ACCESS_KEY, (unused,), key.access_key_id)

    def _permissions(self, holder: User | Role) -> Iterator[Finding]:
        if not self._evidence.covers(self._analyzer.age):
            return  # what older events told is not known
        reading = Reading(self._tx)
        held = policies_held(reading, holder, place_of(reading, holder.account))
        services = [one for name in SERVICES if (one := self._of_service(holder.arn, name, held)) is not None]
        if services:
            yield self._finding(holder, PERMISSION, tuple(services))

    def _of_service(self, arn: str, service: str, held: Policies) -> Unused | None:
        """What is permitted of the service and not used; None if that is nothing."""
        permitted = [name for name in permissions_of(service) if permits(held, name)]
        if not permitted:
            return None
        last = self._evidence.service(arn, service)
        if last < self._since:
            return Unused(service=service, last=last)
        if service not in BY_ACTION:
            return None
        times = {name: self._evidence.action(arn, name) for name in permitted}
        actions = {name: at for name, at in times.items() if at < self._since}
        return Unused(service=service, last=last, actions=actions) if actions else None

    def _finding(self, holder: User | Role, kind: str, unused: tuple[Unused, ...], *more: str) -> Finding:
        return Finding(
            id=id_of(self._analyzer, holder.arn, (kind, *more)),
            type=kind,
            resource=holder.arn,
            resource_type="AWS::IAM::Role" if isinstance(holder, Role) else "AWS::IAM::User",
            owner=holder.account,
            created=self._now,
            analyzed=self._now,
            updated=self._now,
            unused=unused,
        )


def _has_one(tags: Mapping[str, str], wanted: tuple[dict[str, str], ...]) -> bool:
    """Whether all tags of one of the sets are there."""
    return any(one.items() <= tags.items() for one in wanted)


def permits(held: Policies, action: str) -> bool:
    """Whether the policies on a principal's side allow the action in some case."""
    own = (*held.identity, *held.group)
    limits = () if held.boundary is None else (held.boundary,)
    if any(_always_denies(policy, action) for policy in (*own, *limits)):
        return False
    return any(_allows(policy, action) for policy in own) and all(
        _allows(policy, action) for policy in limits
    )


def _allows(policy: CompiledPolicy, action: str) -> bool:
    return bool(policy.for_action(action).allows)


def _always_denies(policy: CompiledPolicy, action: str) -> bool:
    written = (policy.document.statements[one.index] for one in policy.for_action(action).denies)
    return any(not one.conditions and one.resources == (EVERYONE,) for one in written)
