"""A policy put where it is proposed to be, in a transaction that nobody commits: so that what comes of it can be looked at."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead import arn, errors
from keystead.api.directory import (
    ACCOUNTS,
    GROUPS,
    ORG_POLICIES,
    ORGANIZATIONS,
    POLICIES,
    ROLES,
    UNITS,
    USERS,
    group_named,
    policy_at,
    policy_place,
    role_named,
    user_named,
)
from keystead.identity.organization import RESOURCE_CONTROL, SERVICE_CONTROL, Organization, OrgPolicy
from keystead.policy.document import parse
from keystead.storage import Table, Transaction

NOTHING: Final = '{"Statement": [{"Effect": "Deny", "Action": "keystead:Nothing", "Resource": "*"}]}'
"""A policy that says nothing: there is no such permission."""
_KINDS: Final = {"scp": SERVICE_CONTROL, "rcp": RESOURCE_CONTROL}
_PROPOSED: Final = "p-proposed"
_HOLDERS: Final = ("user", "group", "role")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a policy belongs: what is there now (its text, empty for nothing), and whose policy it is.

    `holders` are the ARNs of the users, groups and roles that have it; None of a policy of an organization.
    """

    name: str
    policy: str
    """What decisions call it."""
    present: str
    holders: frozenset[str] | None = None


def propose(tx: Transaction, where: str, inline: str, text: str) -> Place:
    """What is at a place; the transaction has `text` there instead.

    Args:
        tx: is not to be committed.
        where: a managed policy's ARN, a policy's id (`p-…`), `scp:` or `rcp:` and the id of a node that it is to be attached
            to, or the ARN of a user, group or role.
        inline: of those the policy's name.
        text: the policy document.

    Raises:
        errors.OperatorError: there is no such place.
        errors.MalformedPolicyDocument: the text is no policy.
    """
    parse(text)
    kind, _, node = where.partition(":")
    if kind in _KINDS:
        return _attached(tx, _KINDS[kind], node, text)
    if where.startswith("p-"):
        return _of_organization(tx, where, text)
    if policy_place(where) is not None:
        return _managed(tx, where, text)
    return _inline(tx, where, inline, text)


# ------------------------------------------------------------------------------ identity


def _managed(tx: Transaction, where: str, text: str) -> Place:
    found = policy_at(tx, where)
    if found is None:
        raise errors.OperatorError(f"there is no policy {where}")
    holders = {
        holder.arn
        for table, index in _INDEXES
        for key in tx.find(table, index, where)
        if (holder := tx.get(table, key)) is not None
    }
    versions = tuple(
        msgspec.structs.replace(one, document=text) if one.id == found.default else one
        for one in found.versions
    )
    place = policy_place(where)
    assert place is not None
    tx.put(POLICIES, place, msgspec.structs.replace(found, versions=versions))
    return Place(name=where, policy=found.name, present=found.document, holders=frozenset(holders))


_INDEXES: Final[tuple[tuple[Table[Any], str], ...]] = (
    (USERS, "attached"), (GROUPS, "attached"), (ROLES, "attached"), (USERS, "boundary"), (ROLES, "boundary"),
)  # fmt: skip
"""How the holders of a managed policy are found."""


def _inline(tx: Transaction, where: str, inline: str, text: str) -> Place:
    try:
        parts = arn.parse(where)
    except ValueError:
        raise errors.OperatorError(f"{where} is no place of a policy") from None
    kind, _, path = parts.resource.partition("/")
    if kind not in _HOLDERS or not inline:
        raise errors.OperatorError(f"{where}: name a user, group or role, and its policy with --inline")
    name = path.rpartition("/")[2]
    if kind == "user":
        return _held(tx, USERS, user_named(tx, parts.account, name), where, inline, text)
    if kind == "group":
        return _held(tx, GROUPS, group_named(tx, parts.account, name), where, inline, text)
    return _held(tx, ROLES, role_named(tx, parts.account, name), where, inline, text)


def _held(tx: Transaction, table: Any, holder: Any, where: str, inline: str, text: str) -> Place:
    if holder is None or holder.arn != where:
        raise errors.OperatorError(f"there is no {where}")
    changed = msgspec.structs.replace(holder, inline={**holder.inline, inline: text})
    tx.put(table, f"{holder.account}/{holder.id}", changed)
    present = holder.inline.get(inline, "")
    return Place(name=f"{where} policy {inline}", policy=inline, present=present, holders=frozenset({where}))


# -------------------------------------------------------------------------- organization


def _of_organization(tx: Transaction, policy_id: str, text: str) -> Place:
    found = [(key, one) for key, one in tx.scan(ORG_POLICIES, "") if one.id == policy_id]
    if not found:
        raise errors.OperatorError(f"there is no policy {policy_id} that an organization could change")
    key, policy = found[0]
    tx.put(ORG_POLICIES, key, msgspec.structs.replace(policy, content=text))
    return Place(name=policy_id, policy=policy.name, present=policy.content)


def _attached(tx: Transaction, kind: str, node: str, text: str) -> Place:
    organization = _organization_of(tx, node)
    if kind not in organization.enabled:
        raise errors.OperatorError(f"{kind} is not enabled in organization {organization.id}")
    policy = OrgPolicy(id=_PROPOSED, organization=organization.id, type=kind, name="proposed", content=text)
    tx.put(ORG_POLICIES, f"{organization.id}/{_PROPOSED}", policy)
    _attach(tx, organization, node)
    return Place(name=f"{kind} at {node}", policy="proposed", present="")


def _organization_of(tx: Transaction, node: str) -> Organization:
    account = tx.get(ACCOUNTS, node)
    for _, organization in tx.scan(ORGANIZATIONS, ""):
        unit = tx.get(UNITS, f"{organization.id}/{node}")
        if node == organization.root or unit is not None:
            return organization
        if account is not None and account.organization == organization.id:
            return organization
    raise errors.OperatorError(f"{node} is no root, unit or account of an organization")


def _attach(tx: Transaction, organization: Organization, node: str) -> None:
    table, key = (ORGANIZATIONS, organization.id) if node == organization.root else (
        (UNITS, f"{organization.id}/{node}") if node.startswith("ou-") else (ACCOUNTS, node)
    )  # fmt: skip
    found: Any = tx.get(table, key)
    tx.put(table, key, msgspec.structs.replace(found, policies=(*found.policies, _PROPOSED)))
