"""Users, groups, roles, policies and organizations as stored, and how each is found.

Names of users, groups, roles and policies are unique in an account without regard to case (IAM User
Guide, "IAM identifiers"), so what is found by name is kept under its lower-case name. What outlives a name
(credentials, memberships, policies that name principals) holds the unique id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from keystead import arn
from keystead.api.accounts import ACCOUNTS, CREDENTIALS
from keystead.identity import (
    Account,
    Credential,
    Group,
    ManagedPolicy,
    OidcProvider,
    Organization,
    OrgPolicy,
    Role,
    Unit,
    User,
)
from keystead.policy.aws_managed import AWS_MANAGED
from keystead.storage import Table, Transaction, join

__all__ = [
    "ACCOUNTS",
    "CREDENTIALS",
    "GROUPS",
    "NAMES",
    "OIDC_PROVIDERS",
    "ORGANIZATIONS",
    "ORG_POLICIES",
    "POLICIES",
    "ROLES",
    "UNITS",
    "USERS",
    "Name",
    "account_of",
    "bind",
    "credentials_of",
    "document_of",
    "group_named",
    "name_place",
    "oidc_provider_at",
    "policy_at",
    "policy_place",
    "principal_id_of",
    "role_named",
    "root_credentials_of",
    "user_named",
]

AWS: Final = "aws"
"""What stands for the account in the ARNs of AWS's own policies."""


class Name(msgspec.Struct, frozen=True):
    """Whom a name names: a unique id."""

    id: str


def _members(_where: str, user: User) -> list[str]:
    return [join(user.account, group, user.id) for group in user.groups]


def _attached(_where: str, holder: User | Group | Role) -> list[str]:
    return list(holder.attached)


def _bounded(_where: str, holder: User | Role) -> list[str]:
    return [holder.boundary] if holder.boundary else []


USERS: Table[User] = Table(
    "user", User, indexes={"group": _members, "attached": _attached, "boundary": _bounded}
)
"""account/unique id; index `group`: account/group id/user id; `attached`, `boundary`: policy ARN"""

GROUPS: Table[Group] = Table("group", Group, indexes={"attached": _attached})
"""account/unique id; index `attached`: policy ARN"""

ROLES: Table[Role] = Table("role", Role, indexes={"attached": _attached, "boundary": _bounded})
"""account/unique id; indexes as in `USERS`"""

NAMES: Table[Name] = Table("name", Name)
"""kind (`user`, `group`, `role`)/account/name in lower case"""

POLICIES: Table[ManagedPolicy] = Table("managed_policy", ManagedPolicy)
"""account/name in lower case"""

OIDC_PROVIDERS: Table[OidcProvider] = Table("oidc_provider", OidcProvider)
"""account/the issuer's URL without its scheme"""

ORGANIZATIONS: Table[Organization] = Table("organization", Organization)
"""organization id"""

UNITS: Table[Unit] = Table("unit", Unit)
"""organization id/unit id"""

ORG_POLICIES: Table[OrgPolicy] = Table("org_policy", OrgPolicy)
"""organization id/policy id"""


def name_place(kind: str, account: str, name: str) -> str:
    """The key in `NAMES` of a user's, group's or role's name."""
    return f"{kind}/{account}/{name.lower()}"


def _id_of(tx: Transaction, kind: str, account: str, name: str) -> str | None:
    found = tx.get(NAMES, name_place(kind, account, name)) if "\0" not in name else None
    return None if found is None else f"{account}/{found.id}"


def user_named(tx: Transaction, account: str, name: str) -> User | None:
    """The user with this name (case does not count), or None."""
    place = _id_of(tx, "user", account, name)
    return None if place is None else tx.get(USERS, place)


def group_named(tx: Transaction, account: str, name: str) -> Group | None:
    """The group with this name (case does not count), or None."""
    place = _id_of(tx, "group", account, name)
    return None if place is None else tx.get(GROUPS, place)


def role_named(tx: Transaction, account: str, name: str) -> Role | None:
    """The role with this name (case does not count), or None."""
    place = _id_of(tx, "role", account, name)
    return None if place is None else tx.get(ROLES, place)


def policy_place(policy_arn: str) -> str | None:
    """The key in `POLICIES` of a customer managed policy's ARN; None for any other text."""
    try:
        parts = arn.parse(policy_arn)
    except ValueError:
        return None
    if parts.account == AWS or "\0" in policy_arn or not parts.resource.startswith("policy/"):
        return None
    return f"{parts.account}/{parts.resource.rpartition('/')[2].lower()}"


def policy_at(tx: Transaction, policy_arn: str) -> ManagedPolicy | None:
    """The customer managed policy with exactly this ARN, or None (AWS's own are in `AWS_MANAGED`)."""
    place = policy_place(policy_arn)
    found = None if place is None else tx.get(POLICIES, place)
    return found if found is not None and found.arn == policy_arn else None


def document_of(tx: Transaction, policy_arn: str) -> str | None:
    """The document that counts of the managed policy with this ARN, AWS's or an account's; None if it is gone."""
    own = AWS_MANAGED.get(policy_arn)
    if own is not None:
        return own.document
    found = policy_at(tx, policy_arn)
    return None if found is None else found.document


def oidc_provider_at(tx: Transaction, provider_arn: str) -> OidcProvider | None:
    """The OpenID Connect provider with exactly this ARN, or None."""
    try:
        parts = arn.parse(provider_arn)
    except ValueError:
        return None
    kind, _, url = parts.resource.partition("/")
    if kind != "oidc-provider" or "\0" in provider_arn:
        return None
    found = tx.get(OIDC_PROVIDERS, f"{parts.account}/{url}")
    return found if found is not None and found.arn == provider_arn else None


def account_of(tx: Transaction, account: str) -> Account | None:
    """The account, or None if this deployment has none of that id."""
    return tx.get(ACCOUNTS, account)


def credentials_of(tx: Transaction, account: str, user: str) -> list[Credential]:
    """The access keys of a user by its unique id."""
    keys = tx.find(CREDENTIALS, "owner", f"{account}/{user}")
    found = [tx.get(CREDENTIALS, key) for key in keys]
    return [c for c in found if c is not None and (c.account, c.user) == (account, user)]


def root_credentials_of(tx: Transaction, account: str) -> list[Credential]:
    """The access keys of the account's root; looks at all credentials, as it is rarely asked."""
    everyone = tx.scan(CREDENTIALS, "")
    return [c for _, c in everyone if (c.account, c.user, c.service) == (account, "", "")]


# ------------------------------------------------------------------- principals in policies


def principal_id_of(tx: Transaction, principal_arn: str) -> str | None:
    """The unique id behind the ARN of a user, role, role session or federated user; None if there is none.

    A session's ARN gives the id of its role, by name (the ARN of a session has lost the role's path). The
    account stands for a federated user, whose name says nothing about who issued it.
    """
    try:
        parts = arn.parse(principal_arn)
    except ValueError:
        return None
    kind, _, rest = parts.resource.partition("/")
    if parts.service == "sts" and kind == "federated-user":
        return parts.account if tx.get(ACCOUNTS, parts.account) is not None else None
    if parts.service == "sts" and kind == "assumed-role":
        role = role_named(tx, parts.account, rest.partition("/")[0])
        return None if role is None else role.id
    found: User | Role | None = None
    if kind == "user":
        found = user_named(tx, parts.account, rest.rpartition("/")[2])
    elif kind == "role":
        found = role_named(tx, parts.account, rest.rpartition("/")[2])
    return None if found is None or found.arn != principal_arn else found.id


def bind(tx: Transaction, principals: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The users and roles among ARNs by unique id, and the ARNs that name nobody.

    Only users and roles are bound: a session or a federated user is named by its ARN as it stands.
    """
    bound: dict[str, str] = {}
    missing: list[str] = []
    for name in sorted(principals):
        found = principal_id_of(tx, name)
        if found is None:
            missing.append(name)
        elif ":iam:" in name:
            bound[name] = found
    return bound, missing
