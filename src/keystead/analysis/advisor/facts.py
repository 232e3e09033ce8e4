"""What is known of a key, of what lies under it and of who used it: what advice is drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from keystead import arn
from keystead.analysis.effective import Standing
from keystead.policy.request import Grant

AWS_MANAGED = "AWS"


class Rotation(msgspec.Struct, frozen=True):
    """Whether a key's material is replaced by itself, and every how many days."""

    enabled: bool = False
    days: int | None = None


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded call on a key.

    Attributes:
        principal: the user's or the role's ARN, or the name of the service that called for itself.
        service: the service that the call came through (`s3.amazonaws.com`); empty if it came directly.
        at: epoch seconds.
        error: the error's code; empty if the call succeeded.
    """

    principal: str
    account: str
    operation: str
    service: str = ""
    context: Mapping[str, str] = {}
    at: float
    error: str = ""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What one bucket holds under a key.

    Attributes:
        versions: so many versions of objects, with `size` bytes together.
        older: how many of them are not the newest one.
        readers: accounts other than the bucket's that its policy names.
        tags: the bucket's tags.
        expires: whether a lifecycle rule deletes objects.
    """

    bucket: str
    versions: int = 0
    size: int = 0
    older: int = 0
    readers: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}
    expires: bool = False


class KeyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One KMS key. Times are in epoch seconds.

    Attributes:
        manager: `AWS` of a default key, else `CUSTOMER`.
        rotation: None where it was not told.
        policy_given: whether somebody wrote the policy; else it is the default one.
        complete: whether the uses are all that were recorded; else they are the newest.
        grants_issued: when each grant was made, by its id.
        last_used: the last successful cryptographic use; None if there was none.
    """

    arn: str
    account: str
    policy: str
    policy_given: bool = True
    manager: str = "CUSTOMER"
    state: str = "Enabled"
    spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    multi_region: bool = False
    description: str = ""
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}
    rotation: Rotation | None = None
    grants: tuple[Grant, ...] = ()
    grants_issued: Mapping[str, float] = {}
    created: float = 0.0
    deletion: float | None = None
    last_used: float | None = None
    last_operation: str = ""
    uses: tuple[Use, ...] = ()
    complete: bool = True
    held: tuple[Held, ...] = ()

    @property
    def region(self) -> str:
        """The key's Region."""
        return arn.parse(self.arn).region

    @property
    def id(self) -> str:
        """The key's id."""
        return self.arn.rpartition("/")[2]

    @property
    def default(self) -> bool:
        """Whether it is a service's default key."""
        return self.manager == AWS_MANAGED

    @property
    def rotatable(self) -> bool:
        """Whether AWS KMS could rotate its material by itself (Developer Guide, "Rotate AWS KMS keys")."""
        return self.spec == "SYMMETRIC_DEFAULT" and self.origin == "AWS_KMS"


class AccountFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The account around its keys.

    Attributes:
        people: the ARNs of its users and roles, without those of services; None where they were not told.
        standings: its users and roles with the policies on their side, likewise.
    """

    account: str
    region: str
    people: frozenset[str] | None = None
    standings: tuple[Standing, ...] | None = None
    now: float = 0.0


def peopled(account: str, region: str, standings: Iterable[Standing], now: float) -> AccountFacts:
    """The account with its users and roles."""
    found = tuple(one for one in standings if one.principal.type != "root")
    arns = (
        one.principal.role_arn or one.principal.arn for one in found if not one.principal.service_linked_role
    )
    return AccountFacts(account=account, region=region, people=frozenset(arns), standings=found, now=now)
