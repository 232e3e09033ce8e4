"""Where an account stands in its organization, and which SCPs and RCPs bind it there.

Source: AWS Organizations User Guide, "SCP evaluation" and "Resource control policies": every level from the
root to the account must allow.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from keystead import errors
from keystead.api.directory import ACCOUNTS, ORG_POLICIES, ORGANIZATIONS, UNITS
from keystead.api.reading import Reading
from keystead.identity import Account, Organization
from keystead.identity.organization import AWS_POLICIES, RESOURCE_CONTROL, SERVICE_CONTROL
from keystead.policy import CompiledPolicy, Level, compile_policy, parse

_MOST_COMPILED: Final = 4096


class Place(msgspec.Struct, frozen=True, gc=False, eq=False):
    """An account's place; `org_path` is as in `aws:PrincipalOrgPaths`. Empty outside organizations."""

    org_id: str = ""
    org_path: str = ""
    management: bool = False
    service_control: tuple[Level, ...] = ()
    resource_control: tuple[Level, ...] = ()

    @property
    def control(self) -> tuple[Level, ...]:
        """The RCPs that bind the account's resources: none where it manages the organization."""
        return () if self.management else self.resource_control


NOWHERE: Final = Place()
"""The place of an account that is in no organization."""


def place_of(reading: Reading, account_id: str) -> Place:
    """The account's place as it is stored now."""
    account = reading.get(ACCOUNTS, account_id)
    if account is None or not account.organization:
        return NOWHERE
    organization = reading.get(ORGANIZATIONS, account.organization)
    if organization is None:
        return NOWHERE
    path, attached = _way_down(reading, organization, account)
    enabled = organization.enabled
    return Place(
        org_id=organization.id,
        org_path=f"{organization.id}/{'/'.join(path)}/",
        management=organization.management == account_id,
        service_control=_levels(reading, organization, SERVICE_CONTROL, attached)
        if SERVICE_CONTROL in enabled
        else (),
        resource_control=_levels(reading, organization, RESOURCE_CONTROL, attached)
        if RESOURCE_CONTROL in enabled
        else (),
    )


def _way_down(
    reading: Reading, organization: Organization, account: Account
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Ids from the root to the account's parent, and the policies attached at each level and the account."""
    path: list[str] = []
    attached: list[tuple[str, ...]] = [account.policies]
    node = account.parent
    while node and node != organization.root:
        unit = reading.get(UNITS, f"{organization.id}/{node}")
        if unit is None:
            raise errors.StorageTampered(f"account {account.id} is in a unit that is not there")
        path.append(unit.id)
        attached.append(unit.policies)
        node = unit.parent
    path.append(organization.root)
    attached.append(organization.policies)
    return path[::-1], attached[::-1]


def _levels(
    reading: Reading, organization: Organization, kind: str, attached: list[tuple[str, ...]]
) -> tuple[Level, ...]:
    return tuple(
        Level(tuple(p for policy in level if (p := _policy(reading, organization, kind, policy)) is not None))
        for level in attached
    )


def _policy(reading: Reading, organization: Organization, kind: str, policy: str) -> CompiledPolicy | None:
    """The attached policy compiled, if it is of that kind."""
    found = AWS_POLICIES.get(policy) or reading.get(ORG_POLICIES, f"{organization.id}/{policy}")
    return _compiled(found.content, found.name) if found is not None and found.type == kind else None


@lru_cache(_MOST_COMPILED)
def _compiled(text: str, name: str) -> CompiledPolicy:
    return compile_policy(parse(text), name)
