"""Lifecycle rules as values: what they are about, and when by them something is to go.

Source: Amazon S3 User Guide, "Lifecycle configuration elements" and "Expiring objects"; days end at midnight UTC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from keystead.services.s3.tables import Bucket, Upload, Version
from keystead.wire.models import s3 as wire

LIFECYCLE: Final = "lifecycle"
"""Under what a bucket's rules are kept among its documents."""
DAY: Final = 86_400
_ENABLED: Final = "Enabled"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that is in force; None where it does not say, times in epoch seconds.

    Attributes:
        above: only objects of more bytes; `below` of fewer.
        days, date: when the newest version is to go.
        markers: whether delete markers go that no version is behind.
        noncurrent_days, newer: when older versions are to go, and how many of them stay whatever their age.
        abort_days: when uploads are to go.
    """

    id: str
    prefix: str = ""
    tags: dict[str, str] = {}
    above: int | None = None
    below: int | None = None
    days: int | None = None
    date: float | None = None
    markers: bool = False
    noncurrent_days: int | None = None
    newer: int = 0
    abort_days: int | None = None

    def is_about(self, key: str, version: Version) -> bool:
        """Whether the filter has room for a version; markers have neither tags nor a size."""
        if not key.startswith(self.prefix):
            return False
        if version.marker:
            return not self.tags and self.above is None and self.below is None
        return (
            self.tags.items() <= version.tags.items()
            and (self.above is None or version.size > self.above)
            and (self.below is None or version.size < self.below)
        )


class Expiry(NamedTuple):
    """When something goes, and the id of the rule by which it does."""

    at: float
    rule: str


def midnight_after(at: float) -> float:
    """The next midnight UTC, or `at` itself if it is one."""
    return float(math.ceil(at / DAY) * DAY)


def rules_of(bucket: Bucket) -> tuple[Rule, ...]:
    """The bucket's rules that are in force."""
    text = bucket.documents.get(LIFECYCLE)
    return () if text is None else _rules(text)


@lru_cache(1024)
def _rules(text: str) -> tuple[Rule, ...]:
    found = msgspec.json.decode(text, type=wire.BucketLifecycleConfiguration)
    return tuple(_rule(each) for each in found.rules or () if each.status == _ENABLED)


def _rule(given: wire.LifecycleRule) -> Rule:
    filter_ = given.filter or wire.LifecycleRuleFilter(prefix=given.prefix)
    both = filter_.and_ or wire.LifecycleRuleAndOperator(
        prefix=filter_.prefix,
        tags=None if filter_.tag is None else [filter_.tag],
        object_size_greater_than=filter_.object_size_greater_than,
        object_size_less_than=filter_.object_size_less_than,
    )
    expiration = given.expiration or wire.LifecycleExpiration()
    noncurrent = given.noncurrent_version_expiration or wire.NoncurrentVersionExpiration()
    abort = given.abort_incomplete_multipart_upload
    return Rule(
        id=given.id or "",
        prefix=both.prefix or "",
        tags={tag.key or "": tag.value or "" for tag in both.tags or ()},
        above=both.object_size_greater_than,
        below=both.object_size_less_than,
        days=expiration.days,
        date=expiration.date,
        markers=bool(expiration.expired_object_delete_marker) or expiration.days is not None,
        noncurrent_days=noncurrent.noncurrent_days,
        newer=noncurrent.newer_noncurrent_versions or 0,
        abort_days=None if abort is None else abort.days_after_initiation,
    )


# ------------------------------------------------------------------------------ when something goes


def end_of_newest(rules: tuple[Rule, ...], key: str, version: Version) -> Expiry | None:
    """When the newest version goes, which is no marker; None if never."""
    ends = [
        Expiry(midnight_after(version.modified + rule.days * DAY) if rule.days else rule.date or 0.0, rule.id)
        for rule in rules
        if (rule.days or rule.date is not None) and rule.is_about(key, version)
    ]
    return min(ends, default=None)


def end_of_marker(rules: tuple[Rule, ...], key: str, marker: Version) -> Expiry | None:
    """When a delete marker goes that no version is behind: at once, or when it is as old as objects get."""
    ends = [
        Expiry(midnight_after(marker.modified + (rule.days or 0) * DAY), rule.id)
        for rule in rules
        if rule.markers and rule.is_about(key, marker)
    ]
    return min(ends, default=None)


def end_of_older(
    rules: tuple[Rule, ...], key: str, version: Version, since: float, newer: int
) -> Expiry | None:
    """When a version goes that was replaced at `since`, and that has `newer` others between it and the newest."""
    ends = [
        Expiry(midnight_after(since + rule.noncurrent_days * DAY), rule.id)
        for rule in rules
        if rule.noncurrent_days and newer >= rule.newer and _is_about_older(rule, key, version)
    ]
    return min(ends, default=None)


def _is_about_older(rule: Rule, key: str, version: Version) -> bool:
    """A marker that was replaced goes like any other version of its key."""
    return key.startswith(rule.prefix) if version.marker else rule.is_about(key, version)


def end_of_upload(rules: tuple[Rule, ...], upload: Upload) -> Expiry | None:
    """When an upload goes that is not completed; None if never."""
    ends = [
        Expiry(midnight_after(upload.begun + rule.abort_days * DAY), rule.id)
        for rule in rules
        if rule.abort_days and upload.key.startswith(rule.prefix)
    ]
    return min(ends, default=None)


# ------------------------------------------------------------------------------ what is told of it


def told(bucket: Bucket, key: str, version: Version) -> str | None:
    """What answers about the newest version say of its end (header x-amz-expiration)."""
    end = end_of_newest(rules_of(bucket), key, version)
    if end is None:
        return None
    return f'expiry-date="{formatdate(end.at, usegmt=True)}", rule-id="{quote(end.rule, safe="")}"'


def abort_told(bucket: Bucket, upload: Upload) -> Mapping[str, Any]:
    """What answers about an upload say of its end."""
    end = end_of_upload(rules_of(bucket), upload)
    return {} if end is None else {"abort_date": end.at, "abort_rule_id": end.rule}
