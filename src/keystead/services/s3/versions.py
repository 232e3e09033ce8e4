"""Which version a request is about, and what becomes of the others when one is put or deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.entropy import Entropy
from keystead.services.s3.garbage import discard
from keystead.services.s3.tables import (
    MARKERS,
    NULL,
    OBJECTS,
    VERSIONS,
    Bucket,
    Change,
    Version,
    arrive,
    object_place,
    split_place,
    version_place,
)
from keystead.services.s3.walking import FEWEST, MOST, Merged, Walk

ENABLED: Final = "Enabled"
SUSPENDED: Final = "Suspended"
_MICROSECONDS: Final = 1_000_000
_LATEST: Final = 1 << 60
_TIME_DIGITS: Final = 16
_RANDOM_BYTES: Final = 8
_STAMP_DIGITS: Final = _TIME_DIGITS + 2 * _RANDOM_BYTES
PAST_ALL: Final = "g"
"""A text behind all stamps, which are hexadecimal."""


class Making(Change, Protocol):
    """A change that makes versions."""

    @property
    def entropy(self) -> Entropy: ...


def current(call: Change, bucket: Bucket, key: str) -> Version | None:
    """The newest version of a key, a delete marker too."""
    place = object_place(bucket.id, key)
    found = call.tx.get(OBJECTS, place)
    if found is None and bucket.versioning:
        found = call.tx.get(MARKERS, place)
    return found


def _renew(call: Change, bucket: Bucket, key: str, made: Version | None) -> None:
    """None; the key's newest version is `made` from now on, with None it has none."""
    place = object_place(bucket.id, key)
    for table in (OBJECTS, MARKERS) if bucket.versioning else (OBJECTS,):
        if made is not None and made.marker == (table is MARKERS):
            call.tx.put(table, place, made)
        elif call.tx.get(table, place) is not None:
            call.tx.delete(table, place)


def check_id(version_id: str | None) -> None:
    """None, if a version could have this id, or none is named.

    Raises:
        errors.InvalidS3Argument: no version could have it.
    """
    if version_id is None or is_id(version_id):
        return
    said = "Invalid version id specified" if version_id else "Version id cannot be the empty string"
    raise errors.InvalidS3Argument(said, {"ArgumentName": "versionId", "ArgumentValue": version_id})


def peek(call: Change, bucket: Bucket, key: str, version_id: str | None) -> Version | None:
    """The version that a request names, or the newest, if it is there."""
    newest = current(call, bucket, key)
    if version_id is None or (newest is not None and newest.id == version_id):
        return newest
    return _older(call, bucket, key, version_id)


def find(call: Call, bucket: Bucket, key: str, version_id: str | None) -> Version:
    """The version that a request names, or the newest.

    Raises:
        errors.InvalidS3Argument: no version has such an id.
        errors.NoSuchKey: there is no object, or it is deleted.
        errors.NoSuchVersion: it has no such version.
        errors.MarkedAsDeleted: the version is a delete marker.
    """
    check_id(version_id)
    newest = current(call, bucket, key)
    if version_id is None:
        if newest is None or newest.marker:
            _tell(call, newest)
            raise errors.NoSuchKey(about={"Key": key})
        return newest
    found = (
        newest if newest is not None and newest.id == version_id else _older(call, bucket, key, version_id)
    )
    if found is None:
        raise errors.NoSuchVersion(about={"Key": key, "VersionId": version_id})
    if found.marker:
        _tell(call, found)
        method = "GET"
        if call.exchange is not None:
            method = call.exchange.method
            call.exchange.headers.append(("Allow", "DELETE"))
        raise errors.MarkedAsDeleted(about={"Method": method, "ResourceType": "DeleteMarker"})
    return found


def _tell(call: Call, marker: Version | None) -> None:
    """Have the answer say that a delete marker is why."""
    if marker is not None and call.exchange is not None:
        call.exchange.headers += [("x-amz-delete-marker", "true"), ("x-amz-version-id", marker.id)]


def _older(call: Change, bucket: Bucket, key: str, version_id: str) -> Version | None:
    if version_id == NULL:
        stamp = next((v.stamp for v in older(call, bucket, key) if v.id == NULL), None)
    else:
        stamp = version_id if is_stamp(version_id) else None
    return None if stamp is None else call.tx.get(VERSIONS, version_place(bucket.id, key, stamp))


def older(call: Change, bucket: Bucket, key: str, stamp: str = "") -> Iterator[Version]:
    """All but the newest version of a key, newest first; those behind `stamp`. Read as far as they are asked for."""
    prefix, cut = version_place(bucket.id, key, ""), len(bucket.id) + 1
    after, size, more = version_place(bucket.id, key, stamp) if stamp else None, FEWEST, True
    while more:
        rows = call.tx.scan(VERSIONS, prefix, after=after, limit=size)
        # Keys may hold the mark themselves, so others' versions can lie between.
        yield from (version for place, version in rows if split_place(place[cut:])[0] == key)
        more = len(rows) >= size
        after, size = rows[-1][0] if rows else None, min(2 * size, MOST)


def every(
    call: Change, bucket: Bucket, walk: Walk[Version] | Merged[Version], last: tuple[str, str] | None
) -> Iterator[tuple[str, Version, bool]]:
    """Every version of every key of the walk, newest first; whether it is the newest.

    `last` is the key and stamp of the one that was told before; a walk that begins with its key goes on behind it.
    """
    for key, newest in walk:
        stamp = last[1] if last is not None and last[0] == key else ""
        if newest.stamp > stamp:
            yield key, newest, True
        if bucket.versioning:
            for version in older(call, bucket, key, stamp):
                if walk.passes(key):
                    break
                yield key, version, False


def is_id(text: str) -> bool:
    """Whether a version could have this id."""
    return text == NULL or is_stamp(text)


def is_stamp(text: str) -> bool:
    """Whether a version could have this stamp, which is the id of those that have one of their own."""
    return len(text) == _STAMP_DIGITS and not text.strip("0123456789abcdef")


def new_stamp(call: Making, newest: Version | None) -> str:
    """The stamp of a version that is newer than `newest`, whatever the clock says."""
    time = _LATEST - int(call.now * _MICROSECONDS)
    if newest is not None:
        time = min(time, int(newest.stamp[:_TIME_DIGITS], 16) - 1)
    return f"{time:0{_TIME_DIGITS}x}{call.entropy.random(_RANDOM_BYTES).hex()}"


def publish(call: Making, bucket: Bucket, key: str, made: Version) -> Version:
    """The version as it is stored: the newest from now on; id and stamp are given to it here."""
    newest = current(call, bucket, key)
    if newest is None:
        arrive(call, bucket.id)
    stamp = new_stamp(call, newest)
    made = msgspec.structs.replace(made, id=stamp if bucket.versioning == ENABLED else NULL, stamp=stamp)
    if made.id == NULL:
        _drop_null(call, bucket, key, newest)
    if newest is not None and (made.id != NULL or newest.id != NULL):
        call.tx.put(VERSIONS, version_place(bucket.id, key, newest.stamp), newest)
    _renew(call, bucket, key, made)
    return made


def _drop_null(call: Change, bucket: Bucket, key: str, newest: Version | None) -> None:
    """Remove the version that has no id of its own: there is one at most."""
    if newest is not None and newest.id == NULL:
        discard(call, newest)
    elif bucket.versioning:
        found = _older(call, bucket, key, NULL)
        if found is not None:
            call.tx.delete(VERSIONS, version_place(bucket.id, key, found.stamp))
            discard(call, found)


def _anybody(_version: Version) -> None:
    """What says that a version may go."""


def remove(
    call: Making,
    bucket: Bucket,
    key: str,
    version_id: str | None,
    may: Callable[[Version], None] = _anybody,
) -> Version | None:
    """The version that is gone, or the marker that was put; None if there was nothing to do.

    `may` is asked before a version that is named goes, and raises if it may not.
    """
    newest = current(call, bucket, key)
    if version_id is None:
        if bucket.versioning:
            return publish(call, bucket, key, Version(id="", stamp="", marker=True, modified=call.now))
        if newest is None:
            return None
        _renew(call, bucket, key, None)
        discard(call, newest)
        return None
    if newest is not None and newest.id == version_id:
        may(newest)
        _promote(call, bucket, key)
        discard(call, newest)
        return newest
    found = _older(call, bucket, key, version_id)
    if found is not None:
        may(found)
        call.tx.delete(VERSIONS, version_place(bucket.id, key, found.stamp))
        discard(call, found)
    return found


def _promote(call: Change, bucket: Bucket, key: str) -> None:
    """Make the version before the newest the newest."""
    for version in older(call, bucket, key):
        place = version_place(bucket.id, key, version.stamp)
        now = call.tx.get(VERSIONS, place)
        if now is not None:  # this call may have deleted it already
            _renew(call, bucket, key, now)
            call.tx.delete(VERSIONS, place)
            return
    _renew(call, bucket, key, None)


def store(call: Change, bucket: Bucket, key: str, version: Version) -> None:
    """Put a version back where it is, with something of it changed."""
    newest = current(call, bucket, key)
    if newest is not None and newest.stamp == version.stamp:
        _renew(call, bucket, key, version)
    else:
        call.tx.put(VERSIONS, version_place(bucket.id, key, version.stamp), version)
