"""Roles as an analyzer sees them: whom their trust policies let in. Those of services nobody else can assume."""

from __future__ import annotations

from collections.abc import Iterator

from keystead.api.analyzed import ROLE, Analyzed, Type
from keystead.api.directory import ROLES, role_named
from keystead.identity import Role
from keystead.storage import Transaction


class AnalyzedRoles:
    """The roles of accounts, which are in no Region."""

    type: Type = ROLE

    def all(self, tx: Transaction, account: str, region: str) -> Iterator[Analyzed]:  # noqa: ARG002 - of all alike
        for _, role in tx.scan(ROLES, f"{account}/"):
            if not role.service_linked:
                yield _analyzed(role)

    def one(self, tx: Transaction, account: str, region: str, arn: str) -> Analyzed | None:  # noqa: ARG002 - as above
        role = role_named(tx, account, arn.rpartition("/")[2])
        return _analyzed(role) if role is not None and role.arn == arn and not role.service_linked else None


def _analyzed(role: Role) -> Analyzed:
    return Analyzed(arn=role.arn, type=ROLE, account=role.account, policy=role.trust, bound=role.trusted)
