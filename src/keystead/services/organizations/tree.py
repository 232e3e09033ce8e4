"""The tree: nodes (the root, units, accounts) as stored, and the changes that they go through.

Every change rewrites the organization's own record, so that two changes never happen at once: what one of them
saw of the tree still holds when it is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

from keystead.api.directory import ACCOUNTS, ORG_POLICIES, ORGANIZATIONS, UNITS
from keystead.entropy import Entropy
from keystead.identity import Account, Organization, OrgPolicy, Unit
from keystead.identity.organization import AWS_POLICIES, new_org_policy_id, new_unit_id
from keystead.storage import Transaction

NodeKind = Literal["ROOT", "ORGANIZATIONAL_UNIT", "ACCOUNT"]
ROOT: Final = "ROOT"
UNIT: Final = "ORGANIZATIONAL_UNIT"
ACCOUNT: Final = "ACCOUNT"
INVITED: Final = "INVITED"
CREATED: Final = "CREATED"


class Node(msgspec.Struct, frozen=True):
    """A root, unit or account of an organization, as policies and tags are put on it."""

    kind: NodeKind
    id: str
    name: str
    parent: str
    policies: tuple[str, ...]
    tags: dict[str, str]


def node_at(tx: Transaction, organization: Organization, node: str) -> Node | None:
    """The node with this id, or None if the organization has none."""
    if node == organization.root:
        return Node(ROOT, node, "Root", "", organization.policies, organization.root_tags)
    unit = unit_at(tx, organization, node)
    if unit is not None:
        return Node(UNIT, unit.id, unit.name, unit.parent, unit.policies, unit.tags)
    account = member(tx, organization, node)
    if account is None:
        return None
    return Node(ACCOUNT, account.id, account.name, account.parent, account.policies, account.tags)


def unit_at(tx: Transaction, organization: Organization, unit: str) -> Unit | None:
    """The organization's unit with this id, or None."""
    return tx.get(UNITS, f"{organization.id}/{unit}") if unit.startswith("ou-") else None


def member(tx: Transaction, organization: Organization, account: str) -> Account | None:
    """The account with this id if it belongs to the organization, else None."""
    found = tx.get(ACCOUNTS, account) if account.isdigit() else None
    return found if found is not None and found.organization == organization.id else None


def policy_with(tx: Transaction, organization: Organization, policy: str) -> OrgPolicy | None:
    """The organization's policy with this id, or AWS's; None if there is none."""
    return AWS_POLICIES.get(policy) or tx.get(ORG_POLICIES, f"{organization.id}/{policy}")


def units(tx: Transaction, organization: Organization) -> list[Unit]:
    """All units, by id."""
    return [unit for _, unit in tx.scan(UNITS, f"{organization.id}/")]


def members(tx: Transaction, organization: Organization, parent: str | None = None) -> list[Account]:
    """The organization's accounts by id: all, or those directly in one root or unit."""
    if parent is None:
        places = [place for _, place in tx.scan_index(ACCOUNTS, "organization", f"{organization.id}/")]
    else:
        places = tx.find(ACCOUNTS, "organization", f"{organization.id}/{parent}")
    found = (tx.get(ACCOUNTS, place) for place in sorted(places))
    return [account for account in found if account is not None]


def nodes(tx: Transaction, organization: Organization) -> Iterator[Node]:
    """Every node: the root, the units, the accounts."""
    of_units = [unit.id for unit in units(tx, organization)]
    of_accounts = [account.id for account in members(tx, organization)]
    for each in (organization.root, *of_units, *of_accounts):
        node = node_at(tx, organization, each)
        if node is not None:
            yield node


# ------------------------------------------------------------------------------------ changes


def touch(tx: Transaction, organization: Organization, **changes: object) -> Organization:
    """The organization with `changes`, one revision further; see the module's docstring."""
    now = tx.get(ORGANIZATIONS, organization.id) or organization
    changed = msgspec.structs.replace(now, revision=now.revision + 1, **changes)
    tx.put(ORGANIZATIONS, changed.id, changed)
    return changed


def replace_node(
    tx: Transaction,
    organization: Organization,
    node: Node,
    *,
    policies: Iterable[str] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    """None; the node will have these policies attached, and these tags, where they are given."""
    held = tuple(node.policies if policies is None else policies)
    tagged = node.tags if tags is None else tags
    if node.kind == ROOT:
        touch(tx, organization, policies=held, root_tags=tagged)
        return
    touch(tx, organization)
    if node.kind == UNIT:
        unit = tx.get(UNITS, f"{organization.id}/{node.id}")
        assert unit is not None
        put_unit(tx, msgspec.structs.replace(unit, policies=held, tags=tagged))
    else:
        account = tx.get(ACCOUNTS, node.id)
        assert account is not None
        tx.put(ACCOUNTS, account.id, msgspec.structs.replace(account, policies=held, tags=tagged))


def new_organization(
    tx: Transaction,
    *,
    organization: str,
    root: str,
    management: Account,
    now: float,
    enabled: tuple[str, ...] = (),
) -> Organization:
    """An organization with one root that holds its management account, and these policy types enabled."""
    made = Organization(
        id=organization,
        management=management.id,
        root=root,
        created=now,
        enabled=enabled,
        policies=tuple(_aws_policy(kind) for kind in enabled),
    )
    tx.insert(ORGANIZATIONS, made.id, made)
    join_organization(tx, made, management, root, method=INVITED, now=now)
    return made


def new_unit(
    tx: Transaction,
    organization: Organization,
    parent: str,
    name: str,
    *,
    entropy: Entropy,
    unit: str = "",
    tags: dict[str, str] | None = None,
) -> Unit:
    """A unit below the root or another unit, with what every new node has attached."""
    made = Unit(
        id=unit or new_unit_id(organization.root, entropy),
        organization=organization.id,
        name=name,
        parent=parent,
        policies=_full_access(organization),
        tags=tags or {},
    )
    touch(tx, organization)
    tx.insert(UNITS, f"{made.organization}/{made.id}", made)
    return made


def put_unit(tx: Transaction, unit: Unit) -> None:
    """None; the unit will be stored as it is here."""
    tx.put(UNITS, f"{unit.organization}/{unit.id}", unit)


def new_policy(
    tx: Transaction,
    organization: Organization,
    kind: str,
    name: str,
    content: str,
    *,
    entropy: Entropy,
    description: str = "",
    tags: dict[str, str] | None = None,
) -> OrgPolicy:
    """A policy of the organization, attached to nothing."""
    made = OrgPolicy(
        id=new_org_policy_id(entropy),
        organization=organization.id,
        type=kind,
        name=name,
        content=content,
        description=description,
        tags=tags or {},
    )
    touch(tx, organization)
    tx.insert(ORG_POLICIES, f"{made.organization}/{made.id}", made)
    return made


def join_organization(
    tx: Transaction, organization: Organization, account: Account, parent: str, *, method: str, now: float
) -> Account:
    """The account as a member below `parent`."""
    joined = msgspec.structs.replace(
        account,
        organization=organization.id,
        parent=parent,
        policies=_full_access(organization),
        joined=now,
        joined_method=method,
    )
    touch(tx, organization)
    tx.put(ACCOUNTS, joined.id, joined)
    return joined


def leave_organization(tx: Transaction, organization: Organization, account: Account) -> None:
    """None; the account will stand alone, without policies and tags of an organization."""
    alone = msgspec.structs.replace(
        account, organization="", parent="", policies=(), joined=0.0, joined_method="", tags={}
    )
    touch(tx, organization)
    tx.put(ACCOUNTS, alone.id, alone)


def enable_type(tx: Transaction, organization: Organization, kind: str) -> Organization:
    """The organization with a policy type enabled: AWS's policy that allows everything is on every node."""
    allow = _aws_policy(kind)
    for node in nodes(tx, organization):
        replace_node(tx, organization, node, policies=(*node.policies, allow))
    return touch(tx, organization, enabled=(*organization.enabled, kind))


def disable_type(tx: Transaction, organization: Organization, kind: str) -> Organization:
    """The organization with a policy type disabled: no policy of that type is attached anywhere."""
    for node in nodes(tx, organization):
        held = [policy_with(tx, organization, each) for each in node.policies]
        kept = [policy.id for policy in held if policy is not None and policy.type != kind]
        replace_node(tx, organization, node, policies=kept)
    return touch(tx, organization, enabled=tuple(each for each in organization.enabled if each != kind))


def _full_access(organization: Organization) -> tuple[str, ...]:
    return tuple(_aws_policy(kind) for kind in organization.enabled)


def _aws_policy(kind: str) -> str:
    return next(policy.id for policy in AWS_POLICIES.values() if policy.type == kind)
