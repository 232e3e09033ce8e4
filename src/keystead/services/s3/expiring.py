"""What goes by lifecycle rules: looked for once a day at midnight UTC, a page of a bucket at a time.

It is work that falls due: late after downtime, never early, never twice. A page is one commit, with an event of each
thing that went, and with a reminder of where to go on; what changes meanwhile makes the page be read again.
"""

from __future__ import annotations

import os.path
from typing import Final

import msgspec

from keystead.api.schedule import DUE as DUE_ROWS
from keystead.api.schedule import DueCall, DueEvent, due_place, put_due
from keystead.audit.event import OBJECT_TYPE
from keystead.entropy import Entropy
from keystead.services.s3 import endings, rules
from keystead.services.s3.garbage import discard
from keystead.services.s3.protecting import is_protected
from keystead.services.s3.rules import Expiry, midnight_after, rules_of
from keystead.services.s3.tables import (
    BUCKETS,
    MARKERS,
    OBJECTS,
    UPLOADS,
    VERSIONS,
    Bucket,
    Change,
    Version,
    version_place,
)
from keystead.services.s3.versions import current, every, older, remove
from keystead.services.s3.walking import Merged, Walk
from keystead.storage import Transaction

DUE: Final = "s3Lifecycle"
PAUSE: Final = 1.0
"""Seconds between pages, in which other work that is due gets on."""
_ROWS: Final = 500
_GONE: Final = 100
"""Records that a page reads at most, and those that it drops: it is worked off on the event loop."""


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bucket's daily sweep is: what the next page begins behind; nothing at the day's beginning.

    Attributes:
        id: the bucket's: another bucket of its name is none of this sweep's business.
        uploads: versions are done, uploads are not.
        key, stamp: the last version that was looked at; of uploads the last place.
        since, newer: when the next older version of that key was replaced, and how many were before the newest.
    """

    bucket: str
    id: str
    uploads: bool = False
    key: str = ""
    stamp: str = ""
    since: float = 0.0
    newer: int = 0


class Act(msgspec.Struct, frozen=True):
    """What a page is worked off with."""

    tx: Transaction
    now: float
    entropy: Entropy


def begin(call: Change, bucket: Bucket) -> None:
    """None; the bucket is swept from the next midnight on, as long as it has rules."""
    _put(call, midnight_after(call.now + 1), Sweep(bucket=bucket.name, id=bucket.id))


def resume(call: Change) -> None:
    """None; every bucket with rules is swept, those too whose rules were stored before any acted, or are another copy's."""
    at = midnight_after(call.now + 1)
    for _, bucket in call.tx.scan(BUCKETS, ""):
        subject = msgspec.json.encode(Sweep(bucket=bucket.name, id=bucket.id)).decode()
        if rules.LIFECYCLE in bucket.documents and call.tx.get(DUE_ROWS, due_place(at, DUE, subject)) is None:
            begin(call, bucket)


def _put(call: Change, at: float, sweep: Sweep) -> None:
    put_due(call.tx, at, DUE, msgspec.json.encode(sweep).decode())


def expire(entropy: Entropy, call: DueCall, subject: str) -> list[DueEvent]:
    """Drop what has come to its end on one page of a bucket, and see to the next page, or the next day."""
    sweep = msgspec.json.decode(subject, type=Sweep)
    bucket = call.tx.get(BUCKETS, sweep.bucket)
    if bucket is None or bucket.id != sweep.id or rules.LIFECYCLE not in bucket.documents:
        return []
    if sweep == Sweep(bucket=bucket.name, id=bucket.id):
        begin(call, bucket)
    page = Page(Act(call.tx, call.now, entropy), bucket, sweep)
    following = page.uploads() if sweep.uploads else page.versions()
    if following is not None:
        _put(call, call.now + PAUSE, following)
    return page.events


class Page:
    """One page of a sweep as it is worked off."""

    def __init__(self, act: Act, bucket: Bucket, sweep: Sweep) -> None:
        self.events: list[DueEvent] = []
        self._act = act
        self._bucket = bucket
        self._sweep = sweep
        self._rules = rules_of(bucket)
        self._rows = 0

    def versions(self) -> Sweep | None:
        """The next page: of versions, or of uploads if these are all."""
        at = self._sweep
        if not self._rules:
            return None
        prefix = os.path.commonprefix([rule.prefix for rule in self._rules])  # noqa: RUF071  of texts, not of paths
        walk = Merged(
            *(
                Walk(self._act.tx, table, self._bucket, prefix, start=at.key or None, size=_ROWS)
                for table in (OBJECTS, MARKERS)
            )
        )
        for key, version, newest in every(self._act, self._bucket, walk, (at.key, at.stamp)):
            if self._is_full():
                return at
            if newest:
                at = self._at(at, key, version, newer=0)
                self._newest(key, version)
            else:
                self._older(key, version, at)
                at = self._at(at, key, version, newer=at.newer + 1)
        more = any(rule.abort_days for rule in self._rules)
        return Sweep(bucket=at.bucket, id=at.id, uploads=True) if more else None

    @staticmethod
    def _at(sweep: Sweep, key: str, version: Version, *, newer: int) -> Sweep:
        """Behind a version, by which the one before it was replaced."""
        return msgspec.structs.replace(
            sweep, key=key, stamp=version.stamp, since=version.modified, newer=newer
        )

    def uploads(self) -> Sweep | None:
        """The next page of uploads, None if these are all."""
        at = self._sweep
        walk = Walk(self._act.tx, UPLOADS, self._bucket, "", after=at.key or None, size=_ROWS)
        for place, upload in walk:
            if self._is_full():
                return at
            at = msgspec.structs.replace(at, key=place)
            end = self._due(rules.end_of_upload(self._rules, upload))
            if end is not None and self._act.tx.get(UPLOADS, f"{self._bucket.id}/{place}") is not None:
                endings.end(self._act, self._bucket, upload, kept=frozenset())
                self._tell("AbortExpiredUpload", upload.key, end, uploadId=upload.id)
        return None

    def _is_full(self) -> bool:
        self._rows += 1
        return self._rows > _ROWS or len(self.events) >= _GONE

    def _due(self, end: Expiry | None) -> Expiry | None:
        return end if end is not None and end.at <= self._act.now else None

    def _newest(self, key: str, seen: Version) -> None:
        find = rules.end_of_marker if seen.marker else rules.end_of_newest
        if self._due(find(self._rules, key, seen)) is None:
            return
        version = current(self._act, self._bucket, key)  # read as a condition of the commit
        end = None if version is None or version.stamp != seen.stamp else find(self._rules, key, version)
        if version is None or self._due(end) is None or end is None:
            return
        if not version.marker:
            marker = remove(self._act, self._bucket, key, None)
            put = None if marker is None else marker.id
            self._tell("ExpireObject", key, end, version, deleteMarkerVersionId=put)
        elif next(older(self._act, self._bucket, key), None) is None:
            remove(self._act, self._bucket, key, version.id)
            self._tell("ExpireDeleteMarker", key, end, version)

    def _older(self, key: str, seen: Version, at: Sweep) -> None:
        if self._due(rules.end_of_older(self._rules, key, seen, at.since, at.newer)) is None:
            return
        place = version_place(self._bucket.id, key, seen.stamp)
        version = self._act.tx.get(VERSIONS, place)
        if version is None:
            return
        end = self._due(rules.end_of_older(self._rules, key, version, at.since, at.newer))
        if end is not None and not is_protected(version, self._act.now):
            self._act.tx.delete(VERSIONS, place)
            discard(self._act, version)
            self._tell("ExpireObjectVersion", key, end, version)

    def _tell(
        self, name: str, key: str, end: Expiry, version: Version | None = None, **details: str | None
    ) -> None:
        """None; the event is written. Amazon S3 has no names for these, but in its access logs."""
        versioned = version is not None and bool(self._bucket.versioning)
        found = {**details, "versionId": version.id if version is not None and versioned else None}
        self.events.append(
            {
                "eventName": name,
                "service": "s3",
                "account": self._bucket.account,
                "region": self._bucket.region,
                "arn": f"{self._bucket.arn}/{key}",
                "type": OBJECT_TYPE,
                "serviceEventDetails": {
                    "bucketName": self._bucket.name,
                    "key": key,
                    "ruleId": end.rule,
                    **{member: text for member, text in found.items() if text is not None},
                },
            }
        )
