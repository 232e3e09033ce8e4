"""What buckets hold under KMS keys, by the records of versions: no object is opened."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Final

import msgspec

from keystead.analysis.advisor import Held, accounts_let_in
from keystead.api.holdings import Holding
from keystead.services.s3.rules import Rule, rules_of
from keystead.services.s3.tables import BUCKETS, OBJECTS, VERSIONS, Bucket, Version
from keystead.storage import Table, Transaction

_PAGE: Final = 1000


class BucketHoldings:
    """The versions of objects in the account's buckets, delete markers aside."""

    def under(self, tx: Transaction, account: str, keys: Collection[str], most: int) -> Holding:
        found: dict[str, list[Held]] = {}
        left, notes = most, list[str]()
        for name in tx.find(BUCKETS, "account", account):
            bucket = tx.get(BUCKETS, name)
            if bucket is None:
                continue
            seen, held = _in(tx, bucket, keys, left)
            for arn, each in held.items():
                found.setdefault(arn, []).append(each)
            if seen > left:
                notes.append(f"of bucket {name} {left} versions were looked at")
            left = max(0, left - seen)
        return Holding({arn: tuple(each) for arn, each in found.items()}, tuple(notes))


def _in(tx: Transaction, bucket: Bucket, keys: Collection[str], most: int) -> tuple[int, dict[str, Held]]:
    """How many versions there are, counted up to `most` and one more, and what of them lies under the keys."""
    about = Held(
        bucket=bucket.name,
        readers=accounts_let_in(bucket.policy, bucket.account),
        tags=bucket.tags,
        expires=any(map(_deletes, rules_of(bucket))),
    )
    found: dict[str, Held] = {}
    seen = 0
    for older, version in islice(_versions(tx, bucket), most + 1):
        seen += 1
        arn = version.envelope.key
        if seen <= most and arn in keys:
            held = found.get(arn, about)
            found[arn] = msgspec.structs.replace(
                held, versions=held.versions + 1, size=held.size + version.size, older=held.older + older
            )
    return seen, found


def _deletes(rule: Rule) -> bool:
    """Whether the rule deletes versions, not only markers and uploads."""
    return any(when is not None for when in (rule.days, rule.date, rule.noncurrent_days))


def _versions(tx: Transaction, bucket: Bucket) -> Iterator[tuple[int, Version]]:
    """Each version, after 1 for an older one."""
    for older, table in enumerate((OBJECTS, VERSIONS)):
        yield from ((older, version) for version in _rows(tx, table, f"{bucket.id}/") if not version.marker)


def _rows(tx: Transaction, table: Table[Version], prefix: str) -> Iterator[Version]:
    after: str | None = None
    while rows := tx.scan(table, prefix, after=after, limit=_PAGE):
        yield from (version for _, version in rows)
        after = rows[-1][0]
