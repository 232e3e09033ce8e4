"""Buckets as an analyzer sees them. Their ACLs let in nobody but their owners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from keystead.api.analyzed import BUCKET, Analyzed, Type
from keystead.services.s3.tables import BUCKETS, Bucket
from keystead.storage import Transaction

_ARN: Final = "arn:aws:s3:::"


class AnalyzedBuckets:
    """The buckets of accounts."""

    type: Type = BUCKET

    def all(self, tx: Transaction, account: str, region: str) -> Iterator[Analyzed]:
        for name in tx.find(BUCKETS, "account", account):
            bucket = tx.get(BUCKETS, name)
            if bucket is not None and bucket.region == region:
                yield _analyzed(bucket)

    def one(self, tx: Transaction, account: str, region: str, arn: str) -> Analyzed | None:
        bucket = tx.get(BUCKETS, arn.removeprefix(_ARN)) if arn.startswith(_ARN) else None
        here = bucket is not None and (bucket.account, bucket.region) == (account, region)
        return _analyzed(bucket) if bucket is not None and here else None


def _analyzed(bucket: Bucket) -> Analyzed:
    block = bucket.public_access
    return Analyzed(
        arn=bucket.arn,
        type=BUCKET,
        account=bucket.account,
        policy=bucket.policy,
        bound=bucket.bound,
        restrict=block is not None and block.restrict,
    )
