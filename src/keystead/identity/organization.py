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


class Handshake(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An invitation of an account to an organization; `invited` is how the account was named (id or address).

    `state` is what became of it, `OPEN` as long as nothing did; `ended` when. It expires by itself.
    """

    id: str
    organization: str
    account: str
    invited: str
    invited_by: str
    """`ACCOUNT` or `EMAIL`."""
    requested: float
    expires: float
    state: str = "OPEN"
    ended: float = 0.0
    notes: str = ""
    tags: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Handshake({self.id})"


class AccountCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a request to create an account; `failure` is AWS's word for why there is none."""

    id: str
    organization: str
    name: str
    requested: float
    account: str = ""
    failure: str = ""

    @property
    def state(self) -> str:
        """`SUCCEEDED` or `FAILED`."""
        return "FAILED" if self.failure else "SUCCEEDED"

    def __repr__(self) -> str:
        return f"AccountCreation({self.id})"


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
    """A fresh policy id: `p-` and 10 of a-z, 2-7: a policy's ARN may not have fewer, by AWS's model."""
    return "p-" + _letters(entropy, 10)


def new_handshake_id(entropy: Entropy) -> str:
    """A fresh handshake id: `h-` and 32 of a-z, 2-7."""
    return "h-" + _letters(entropy, 32)


def new_creation_id(entropy: Entropy) -> str:
    """A fresh id of a request to create an account: `car-` and 32 of a-z, 2-7."""
    return "car-" + _letters(entropy, 32)


def new_account_id(entropy: Entropy) -> str:
    """A fresh account id: 12 digits, of which the first is not 0."""
    return str(10**11 + int.from_bytes(entropy.random(16)) % (9 * 10**11))


def _letters(entropy: Entropy, count: int) -> str:
    return base64.b32encode(entropy.random(count)).decode()[:count].lower()
