"""ListObjects, ListObjectsV2 and ListObjectVersions: keys in the order of their UTF-8 bytes, page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, on_bucket, owner_id
from keystead.services.s3.tables import OBJECTS, VERSIONS, Bucket, Version, object_place, split_place
from keystead.wire.models import s3 as wire

MOST: Final = 1000
_BATCH: Final = 1000
_FIRST_SURROGATE: Final = 0xD800
_AFTER_SURROGATES: Final = 0xE000
_LAST: Final = 0x10FFFF


class Page(msgspec.Struct, kw_only=True):
    """What one answer lists; `last` is the last key or common prefix in it."""

    found: list[tuple[str, Version]] = []
    prefixes: list[str] = []
    truncated: bool = False
    last: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be listed: keys that begin with `prefix`, after `after`."""

    prefix: str
    delimiter: str
    after: str
    most: int


def asked_of(request: Any, after: str) -> Asked:
    """The question of a request.

    Raises:
        errors.InvalidS3Argument: max-keys is no number of keys, or encoding-type no encoding.
    """
    most = MOST if request.max_keys is None else request.max_keys
    if most < 0:
        raise errors.InvalidS3Argument(
            "Argument maxKeys must be an integer between 0 and 2147483647",
            {"ArgumentName": "maxKeys", "ArgumentValue": str(most)},
        )
    if request.encoding_type not in {None, "url"}:
        raise errors.InvalidS3Argument("Invalid Encoding Method specified in Request")
    return Asked(
        prefix=request.prefix or "", delimiter=request.delimiter or "", after=after, most=min(most, MOST)
    )


def page_of(call: Call, bucket: Bucket, asked: Asked) -> Page:
    """The newest versions of keys; what has the delimiter behind the prefix counts once, as a common prefix."""
    page = Page(found=[], prefixes=[])
    if not asked.most:
        return page
    walk = _Walk(call, bucket, asked)
    for key, version in walk:
        common = _common(key, asked)
        if common is not None:
            walk.skip(common)
            if common <= asked.after and asked.after.startswith(common):
                continue  # told on the page before
        if len(page.found) + len(page.prefixes) >= asked.most:
            page.truncated = True
            break
        if common is None:
            page.found.append((key, version))
        else:
            page.prefixes.append(common)
        page.last = common or key
    return page


def _common(key: str, asked: Asked) -> str | None:
    if not asked.delimiter:
        return None
    end = key.find(asked.delimiter, len(asked.prefix))
    return None if end < 0 else key[: end + len(asked.delimiter)]


class _Walk:
    """The keys of a bucket in order, delete markers aside; what begins alike can be passed over."""

    def __init__(self, call: Call, bucket: Bucket, asked: Asked) -> None:
        self._call = call
        self._bucket = bucket
        self._asked = asked
        self._past = ""

    def skip(self, prefix: str) -> None:
        """None; no more keys that begin with `prefix` come."""
        self._past = prefix

    def __iter__(self) -> Iterator[tuple[str, Version]]:
        place, cut = object_place(self._bucket.id, self._asked.prefix), len(self._bucket.id) + 1
        after: str | None = object_place(self._bucket.id, self._asked.after) if self._asked.after else None
        while True:
            rows = self._call.tx.scan(OBJECTS, place, after=after, limit=_BATCH)
            for row, version in rows:
                key = row[cut:]
                if version.marker or (self._past and key.startswith(self._past)):
                    continue
                yield key, version
            if len(rows) < _BATCH:
                return
            after = rows[-1][0]
            if self._past and after[cut:].startswith(self._past):
                yield from self._at(_behind(self._past))
                end = _behind(self._past)
                after = object_place(self._bucket.id, end) if end is not None else after

    def _at(self, key: str | None) -> Iterator[tuple[str, Version]]:
        """The object with exactly this key, which reading on behind it would leave out."""
        if key is None or not key.startswith(self._asked.prefix):
            return
        version = self._call.tx.get(OBJECTS, object_place(self._bucket.id, key))
        if version is not None and not version.marker:
            yield key, version


def _behind(prefix: str) -> str | None:
    """The least text greater than all that begin with `prefix`; None if there is none."""
    trimmed = prefix.rstrip(chr(_LAST))
    if not trimmed:
        return None
    code = ord(trimmed[-1]) + 1
    return trimmed[:-1] + chr(_AFTER_SURROGATES if code == _FIRST_SURROGATE else code)


# ------------------------------------------------------------------------------ answers


def _encoder(request: Any) -> Any:
    """How names are written: as they are, or percent-encoded where the client asks for it."""
    if request.encoding_type == "url":
        return lambda text: None if text is None else quote(text, safe="/~*-._")
    return lambda text: text


def _object(key: str, version: Version, owner: wire.Owner | None) -> wire.Object:
    return wire.Object(
        key=key,
        last_modified=version.modified,
        e_tag=f'"{version.etag}"',
        size=version.size,
        storage_class=version.headers.get("x-amz-storage-class", "STANDARD"),
        owner=owner,
        checksum_algorithm=list(version.checksum) or None,
        checksum_type=("FULL_OBJECT" if version.whole else "COMPOSITE") if version.checksum else None,
    )


def _prefixes(page: Page, write: Any) -> list[wire.CommonPrefix] | None:
    return [wire.CommonPrefix(prefix=write(text)) for text in page.prefixes] or None


@operation("ListObjectsV2", targets=on_bucket("ListBucket"))
def list_objects_v2(
    call: Call, request: wire.ListObjectsV2Request, _bucket: Target
) -> wire.ListObjectsV2Output:
    """Return a page of the bucket's keys."""
    bucket = bucket_named(call, request.bucket)
    token = request.continuation_token
    asked = asked_of(request, _token_read(token) if token else request.start_after or "")
    page, write = page_of(call, bucket, asked), _encoder(request)
    owner = wire.Owner(id=owner_id(bucket.account)) if request.fetch_owner else None
    return wire.ListObjectsV2Output(
        name=bucket.name,
        prefix=write(asked.prefix),
        delimiter=write(request.delimiter),
        max_keys=MOST if request.max_keys is None else request.max_keys,
        key_count=len(page.found) + len(page.prefixes),
        is_truncated=page.truncated,
        continuation_token=token,
        next_continuation_token=_token(page.last) if page.truncated else None,
        start_after=write(request.start_after),
        encoding_type=request.encoding_type,
        contents=[
            msgspec.structs.replace(_object(key, version, owner), key=write(key))
            for key, version in page.found
        ]
        or None,
        common_prefixes=_prefixes(page, write),
    )


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _token_read(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise errors.InvalidS3Argument("The continuation token provided is incorrect") from None


@operation("ListObjects", targets=on_bucket("ListBucket"))
def list_objects(call: Call, request: wire.ListObjectsRequest, _bucket: Target) -> wire.ListObjectsOutput:
    """Return a page of the bucket's keys, as older clients ask for it."""
    bucket = bucket_named(call, request.bucket)
    asked = asked_of(request, request.marker or "")
    page, write = page_of(call, bucket, asked), _encoder(request)
    owner = wire.Owner(id=owner_id(bucket.account))
    return wire.ListObjectsOutput(
        name=bucket.name,
        prefix=write(asked.prefix),
        marker=write(request.marker or ""),
        delimiter=write(request.delimiter),
        max_keys=MOST if request.max_keys is None else request.max_keys,
        is_truncated=page.truncated,
        next_marker=write(page.last) if page.truncated and asked.delimiter else None,
        encoding_type=request.encoding_type,
        contents=[
            msgspec.structs.replace(_object(key, version, owner), key=write(key))
            for key, version in page.found
        ]
        or None,
        common_prefixes=_prefixes(page, write),
    )


# ------------------------------------------------------------------------------ versions


def _all(call: Call, bucket: Bucket, prefix: str) -> Iterator[tuple[str, Version, bool]]:
    """Every version of every key with the prefix, newest first; whether it is the newest."""
    cut = len(bucket.id) + 1
    older: dict[str, list[Version]] = {}
    for place, version in call.tx.scan(VERSIONS, object_place(bucket.id, prefix)):
        older.setdefault(split_place(place[cut:])[0], []).append(version)
    newest = {place[cut:]: v for place, v in call.tx.scan(OBJECTS, object_place(bucket.id, prefix))}
    for key in sorted(newest.keys() | older.keys(), key=str.encode):
        if key in newest:
            yield key, newest[key], True
        yield from ((key, version, False) for version in older.get(key, ()))


@operation("ListObjectVersions", targets=on_bucket("ListBucketVersions"))
def list_object_versions(
    call: Call, request: wire.ListObjectVersionsRequest, _bucket: Target
) -> wire.ListObjectVersionsOutput:
    """Return a page of all versions and delete markers."""
    bucket = bucket_named(call, request.bucket)
    asked, write = asked_of(request, ""), _encoder(request)
    answer = _Versions(owner=wire.Owner(id=owner_id(bucket.account)), write=write, rows=[], prefixes=[])
    rows = _all(call, bucket, asked.prefix) if asked.most else iter(())
    for key, version, latest in _after(rows, request.key_marker or None, request.version_id_marker or None):
        common = _common(key, asked)
        if common is not None and (common in answer.prefixes or common == request.key_marker):
            continue
        if len(answer.rows) + len(answer.prefixes) >= asked.most:
            answer.truncated = True
            break
        answer.take(key, version, common, latest=latest)
    return wire.ListObjectVersionsOutput(
        name=bucket.name,
        prefix=write(asked.prefix),
        delimiter=write(request.delimiter),
        key_marker=write(request.key_marker or ""),
        version_id_marker=request.version_id_marker or "",
        max_keys=MOST if request.max_keys is None else request.max_keys,
        is_truncated=answer.truncated,
        next_key_marker=write(answer.last_key) if answer.truncated else None,
        next_version_id_marker=answer.last_id if answer.truncated else None,
        encoding_type=request.encoding_type,
        versions=[row for row in answer.rows if isinstance(row, wire.ObjectVersion)] or None,
        delete_markers=[row for row in answer.rows if isinstance(row, wire.DeleteMarkerEntry)] or None,
        common_prefixes=[wire.CommonPrefix(prefix=write(text)) for text in answer.prefixes] or None,
    )


class _Versions(msgspec.Struct, kw_only=True):
    """A page of versions as it grows."""

    owner: wire.Owner
    write: Any
    rows: list[wire.ObjectVersion | wire.DeleteMarkerEntry]
    prefixes: list[str]
    truncated: bool = False
    last_key: str = ""
    last_id: str | None = None

    def take(self, key: str, version: Version, common: str | None, *, latest: bool) -> None:
        """None; the version is on the page, or the prefix that it has in common with others."""
        if common is not None:
            self.prefixes.append(common)
            self.last_key, self.last_id = common, None
            return
        self.last_key, self.last_id = key, version.id
        shared: dict[str, Any] = {
            "key": self.write(key),
            "version_id": version.id,
            "is_latest": latest,
            "last_modified": version.modified,
            "owner": self.owner,
        }
        if version.marker:
            self.rows.append(wire.DeleteMarkerEntry(**shared))
            return
        self.rows.append(
            wire.ObjectVersion(
                e_tag=f'"{version.etag}"',
                size=version.size,
                storage_class="STANDARD",
                checksum_algorithm=list(version.checksum) or None,
                **shared,
            )
        )


def _after(
    rows: Iterator[tuple[str, Version, bool]], key_marker: str | None, version_marker: str | None
) -> Iterator[tuple[str, Version, bool]]:
    """The versions behind those that the page before ended with."""
    passed = key_marker is None
    for key, version, latest in rows:
        if not passed and key_marker is not None:
            if key == key_marker:
                passed = version.id == version_marker
                continue
            if key.encode() < key_marker.encode():
                continue
            passed = True
        yield key, version, latest


OPERATIONS = (list_objects, list_objects_v2, list_object_versions)
