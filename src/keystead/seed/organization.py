"""The organization of a seed: its tree, and the policies of each node.

Units are known by name below their parent, policies by name. What is there already stays as it is; a policy is
attached when it or its node is made, so that one that was detached since stays detached.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from keystead import errors
from keystead.api.accounts import ensure_account
from keystead.api.directory import ORG_POLICIES, ORGANIZATIONS
from keystead.entropy import Entropy
from keystead.identity import Organization
from keystead.identity.organization import RESOURCE_CONTROL, SERVICE_CONTROL, new_root_id
from keystead.seed.file import SeedMember, SeedOrganization, SeedOrgPolicy, SeedUnit
from keystead.seed.identities import policy_text
from keystead.seed.place import at
from keystead.services.organizations import tree
from keystead.storage import Transaction

_TYPES: Final = {
    SERVICE_CONTROL: SERVICE_CONTROL,
    "SCP": SERVICE_CONTROL,
    RESOURCE_CONTROL: RESOURCE_CONTROL,
    "RCP": RESOURCE_CONTROL,
}
_FULL_ACCESS: Final = "p-FullAWSAccess"


class _Planting(msgspec.Struct):
    """One organization being made: what is known of it, including what this transaction made."""

    tx: Transaction
    entropy: Entropy
    now: float
    organization: Organization
    policies: dict[tuple[str, str], str]
    """Policy ids by type and name."""
    units: dict[tuple[str, str], str]
    """Unit ids by parent and name."""
    fresh: set[str]
    """Ids of nodes and policies that this transaction made."""


def put_organization(tx: Transaction, given: SeedOrganization, entropy: Entropy, now: float) -> None:
    """None; the organization is there with everything that the seed names.

    Raises:
        errors.SettingsError: an account is in another organization, or a policy cannot be used.
    """
    with at(f"organization {given.id}"):
        plant = _found(tx, given, entropy, now)
        root = plant.organization.root
        _put_policies(plant, root, given.policies, full_access=given.full_access)
        _put_accounts(plant, root, given.accounts)
        _put_units(plant, root, given.units)


def _found(tx: Transaction, given: SeedOrganization, entropy: Entropy, now: float) -> _Planting:
    known = tx.get(ORGANIZATIONS, given.id)
    fresh: set[str] = set()
    if known is None:
        management = ensure_account(tx, given.management_account, given.management_account, now)
        if management.organization:
            raise errors.SettingsError(f"account {management.id} is in another organization")
        known = tree.new_organization(
            tx,
            organization=given.id,
            root=given.root or new_root_id(entropy),
            management=management,
            now=now,
            enabled=(SERVICE_CONTROL, RESOURCE_CONTROL),
        )
        fresh = {known.root, management.id}
    elif known.management != given.management_account:
        raise errors.SettingsError(f"its management account is {known.management}")
    policies = (policy for _, policy in tx.scan(ORG_POLICIES, f"{known.id}/"))
    return _Planting(
        tx=tx,
        entropy=entropy,
        now=now,
        organization=known,
        policies={(policy.type, policy.name): policy.id for policy in policies},
        units={(unit.parent, unit.name): unit.id for unit in tree.units(tx, known)},
        fresh=fresh,
    )


def _put_units(plant: _Planting, parent: str, given: Iterable[SeedUnit]) -> None:
    for unit in given:
        with at(f"unit {unit.name}"):
            known = plant.units.get((parent, unit.name))
            if known is None:
                known = _new_unit(plant, parent, unit)
            _put_policies(plant, known, unit.policies, full_access=unit.full_access)
            _put_accounts(plant, known, unit.accounts)
            _put_units(plant, known, unit.units)


def _new_unit(plant: _Planting, parent: str, given: SeedUnit) -> str:
    if given.id and tree.unit_at(plant.tx, plant.organization, given.id) is not None:
        raise errors.SettingsError(f"another unit has the id {given.id}")
    unit = tree.new_unit(
        plant.tx, plant.organization, parent, given.name, entropy=plant.entropy, unit=given.id
    )
    plant.units[parent, given.name] = unit.id
    plant.fresh.add(unit.id)
    return unit.id


def _put_accounts(plant: _Planting, parent: str, given: Iterable[str | SeedMember]) -> None:
    for each in given:
        entry = SeedMember(id=each) if isinstance(each, str) else each
        with at(f"account {entry.id}"):
            account = ensure_account(plant.tx, entry.id, entry.id, plant.now)
            if not account.organization:
                tree.join_organization(
                    plant.tx, plant.organization, account, parent, method=tree.CREATED, now=plant.now
                )
                plant.fresh.add(account.id)
            elif account.organization != plant.organization.id:
                raise errors.SettingsError("it is in another organization")
            _put_policies(plant, account.id, entry.policies, full_access=entry.full_access)


def _put_policies(plant: _Planting, node: str, given: list[SeedOrgPolicy], *, full_access: bool) -> None:
    found = tree.node_at(plant.tx, plant.organization, node)
    assert found is not None
    held = list(found.policies)
    for entry in given:
        with at(f"policy {entry.name}"):
            policy = _policy(plant, entry)
        if policy not in held and not plant.fresh.isdisjoint((policy, node)):
            held.append(policy)
    if not full_access and node in plant.fresh:
        held.remove(_FULL_ACCESS)
    if tuple(held) != found.policies:
        tree.replace_node(plant.tx, plant.organization, found, policies=held)


def _policy(plant: _Planting, given: SeedOrgPolicy) -> str:
    """The id of the policy, which is made if there is none of that type and name."""
    kind = _TYPES[given.type]
    known = plant.policies.get((kind, given.name))
    if known is not None:
        return known
    if given.document is None:
        raise errors.SettingsError("it has no document here or before")
    policy = tree.new_policy(
        plant.tx,
        plant.organization,
        kind,
        given.name,
        policy_text(given.document),
        entropy=plant.entropy,
        description=given.description,
    )
    plant.policies[kind, given.name] = policy.id
    plant.fresh.add(policy.id)
    return policy.id
