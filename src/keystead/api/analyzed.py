"""Resources as an analyzer sees them: what lets others in, whatever service they are of.

Services do not know each other, so each says here what it has, and the application hands all of them to the analyzer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, Protocol

import msgspec

from keystead.policy.request import Grant, Value
from keystead.storage import Transaction

KEY: Final = "AWS::KMS::Key"
ROLE: Final = "AWS::IAM::Role"
BUCKET: Final = "AWS::S3::Bucket"

Type = Literal["AWS::KMS::Key", "AWS::IAM::Role", "AWS::S3::Bucket"]


class Analyzed(msgspec.Struct, frozen=True, kw_only=True):
    """A resource with what lets others in.

    Attributes:
        policy: its own policy as it was put, empty if it has none.
        bound: the unique ids of whom the policy names.
        grants: a key's.
        tags: a key's.
        described: a key's condition keys, by lower-case name, with their values wherever a check has them (None: it has none).
        restrict: a bucket whose public policy lets in nobody from outside its account.
    """

    arn: str
    type: Type
    account: str
    policy: str
    bound: tuple[tuple[str, str], ...] = ()
    grants: tuple[Grant, ...] = ()
    restrict: bool = False
    tags: tuple[tuple[str, str], ...] = ()
    described: tuple[tuple[str, Value | None], ...] = ()


class Source(Protocol):
    """A service's resources of one type."""

    type: Type

    def all(self, tx: Transaction, account: str, region: str) -> Iterator[Analyzed]:
        """Every resource of the account that is in the Region, or in none."""
        ...

    def one(self, tx: Transaction, account: str, region: str, arn: str) -> Analyzed | None:
        """The resource of the account with this ARN, if it is in the Region or in none."""
        ...


Sources = tuple[Source, ...]


def find(sources: Sources, tx: Transaction, account: str, region: str, arn: str) -> Analyzed | None:
    """The resource with this ARN, of whatever type."""
    found = (source.one(tx, account, region, arn) for source in sources)
    return next((one for one in found if one is not None), None)
