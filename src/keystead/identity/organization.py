"""An organization: a tree of units and accounts, with policies attached to its nodes.

Source: AWS Organizations User Guide, "Terminology and concepts for AWS Organizations".
"""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from keystead.entropy import Entropy

SERVICE_CONTROL: Final = "SERVICE_CONTROL_POLICY"
RESOURCE_CONTROL: Final = "RESOURCE_CONTROL_POLICY"


class Organization(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An organization and its root.

    `enabled`: the policy types enabled in the root; `policies`: ids of policies attached to the root.
    `revision` counts the changes of the tree, so that no two of them happen at once.
    """

    id: str
    management: str
    """The id of the management account."""
    root: str
    """The root's id (`r-…`)."""
    created: float
    feature_set: str = "ALL"
    enabled: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    root_tags: dict[str, str] = {}
    revision: int = 0

    @property
    def arn(self) -> str:
        """The organization's ARN."""
        return f"arn:aws:organizations::{self.management}:organization/{self.id}"


class Unit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An organizational unit (`ou-…`) below the root or another unit."""

    id: str
    organization: str
    name: str
    parent: str
    policies: tuple[str, ...] = ()
    tags: dict[str, str] = {}


class OrgPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A policy of the organization; `type` is one of `SERVICE_CONTROL` and `RESOURCE_CONTROL`."""

    id: str
    organization: str
    type: str
    name: str
    content: str
    description: str = ""
    tags: dict[str, str] = {}


_ALLOW_ALL: Final = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
_ALLOW_ALL_PRINCIPALS: Final = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
)

AWS_POLICIES: Final = {
    policy.id: policy
    for policy in (
        OrgPolicy(
            id="p-FullAWSAccess",
            organization="",
            type=SERVICE_CONTROL,
            name="FullAWSAccess",
            description="Allows access to every operation",
            content=_ALLOW_ALL,
        ),
        OrgPolicy(
            id="p-RCPFullAWSAccess",
            organization="",
            type=RESOURCE_CONTROL,
            name="RCPFullAWSAccess",
            description="Allows access to every resource",
            content=_ALLOW_ALL_PRINCIPALS,
        ),
    )
}
"""AWS's own policies, in every organization: attached to every node when their type is enabled."""


def new_organization_id(entropy: Entropy) -> str:
    """A fresh organization id: `o-` and 10 of a-z, 2-7."""
    return "o-" + _letters(entropy, 10)


def new_root_id(entropy: Entropy) -> str:
    """A fresh root id: `r-` and 4 of a-z, 2-7."""
    return "r-" + _letters(entropy, 4)


def new_unit_id(root: str, entropy: Entropy) -> str:
    """A fresh unit id: `ou-`, what follows `r-` in the root's id, and 8 of a-z, 2-7."""
    return f"ou-{root.removeprefix('r-')}-{_letters(entropy, 8)}"


def new_org_policy_id(entropy: Entropy) -> str:
    """A fresh policy id: `p-` and 8 of a-z, 2-7."""
    return "p-" + _letters(entropy, 8)


def _letters(entropy: Entropy, count: int) -> str:
    return base64.b32encode(entropy.random(count)).decode()[:count].lower()
