"""An organization: a tree of units and accounts, with policies attached to its nodes.

Source: AWS Organizations User Guide, "Terminology and concepts for AWS Organizations".
"""

from __future__ import annotations

from typing import Final

import msgspec

SERVICE_CONTROL: Final = "SERVICE_CONTROL_POLICY"
RESOURCE_CONTROL: Final = "RESOURCE_CONTROL_POLICY"


class Organization(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`enabled`: the policy types enabled in the root; `policies`: ids of policies attached to the root."""

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
