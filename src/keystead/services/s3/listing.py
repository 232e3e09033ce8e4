"""ListObjects, ListObjectsV2 and ListObjectVersions: keys in the order of their UTF-8 bytes, page by page."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final
from urllib.parse import quote_plus

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, on_bucket, owner_id
from keystead.services.s3.tables import MARKERS, NULL, OBJECTS, Bucket, Version
from keystead.services.s3.versions import PAST_ALL, every, is_id, peek
from keystead.services.s3.walking import FEWEST, Merged, Walk, common_prefix, told_before
from keystead.storage import Table
from keystead.storage.table import R
from keystead.wire.models import s3 as wire

MOST: Final = 1000
MOST_MARKERS: Final = 10_000
"""Delete markers that a page passes over; then it ends, with fewer keys than were asked for, or none, and the next goes on."""
_TOLD: Final = "="
_PASSED: Final = "-"
"""How tokens begin: all up to the key behind was told, or passed over with nothing told of what it has in common."""


class Page(msgspec.Struct, kw_only=True):
    """What one answer lists; `last` is the last key or common prefix in it, or with `passed` the last that was read."""

    found: list[tuple[str, Version]] = []
    prefixes: list[str] = []
    truncated: bool = False
    last: str = ""
    passed: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be listed: keys that begin with `prefix`, after `after`, which with `passed` was not told.

    Unless it `resumes`, the next page cannot say that it goes on behind a key that was not told.
    """

    prefix: str
    delimiter: str
    after: str
    most: int
    passed: bool = False
    resumes: bool = True


def most_of(argument: str, asked: int | None) -> int:
    """How many there may be on a page: as many as are asked for, up to what S3 tells at once.

    Raises:
        errors.InvalidS3Argument: fewer than none.
    """
    if asked is not None and asked < 0:
        raise errors.InvalidS3Argument(
            f"Argument {argument} must be an integer between 0 and 2147483647",
            {"ArgumentName": argument, "ArgumentValue": str(asked)},
        )
    return MOST if asked is None else min(asked, MOST)


def asked_of(request: Any, after: str) -> Asked:
    """The question of a request.

    Raises:
        errors.InvalidS3Argument: max-keys is no number of keys.
    """
    return Asked(
        prefix=request.prefix or "",
        delimiter=request.delimiter or "",
        after=after,
        most=most_of("maxKeys", request.max_keys),
    )


def page_of(call: Call, bucket: Bucket, asked: Asked) -> Page:
    """The newest versions of keys; what has the delimiter behind the prefix counts once, as a common prefix."""
    page = Page(found=[], prefixes=[])
    if not asked.most:
        return page
    walk, markers = walk_of(call, OBJECTS, bucket, asked), 0
    for key, version in walk:
        if version.marker:
            markers += 1
            if markers < MOST_MARKERS or not asked.resumes:
                continue
            page.truncated, page.last, page.passed = True, key, True
            break
        common = common_prefix(key, asked.prefix, asked.delimiter)
        if len(page.found) + len(page.prefixes) >= asked.most:
            page.truncated = True
            break
        if common is None:
            page.found.append((key, version))
        else:
            walk.skip(common)
            page.prefixes.append(common)
        page.last = common or key
    return page


def walk_of(call: Call, table: Table[R], bucket: Bucket, asked: Asked, *, including: bool = False) -> Walk[R]:
    """The records behind those that the page before had; with `including`, those of its last key again.

    A page that ended with a common prefix, or in the midst of one, told of all that begins so.
    """
    told = None if asked.passed else told_before(asked.after, asked.prefix, asked.delimiter)
    if told is not None:
        walk = Walk(call.tx, table, bucket, asked.prefix, start=told)
        walk.skip(told)
        return walk
    size = FEWEST if asked.delimiter else asked.most + 1
    marks = {"start" if including else "after": asked.after or None}
    return Walk(call.tx, table, bucket, asked.prefix, size=size, **marks)


# ------------------------------------------------------------------------------ answers


def encoder(request: Any) -> Any:
    """How names are written: as they are, or percent-encoded where the client asks for it.

    Raises:
        errors.InvalidS3Argument: it asks for another way.
    """
    asked = request.encoding_type
    if asked is not None and asked.lower() != "url":
        raise errors.InvalidS3Argument(
            "Invalid Encoding Method specified in Request",
            {"ArgumentName": "encoding-type", "ArgumentValue": asked},
        )
    if asked is not None:
        return lambda text: None if text is None else _encoded(text)
    return lambda text: text


def _encoded(text: str) -> str:
    """As forms are written (a space is `+`), but slashes are kept."""
    return quote_plus(text, safe="/*-._").replace("~", "%7E")


def _object(key: str, version: Version, owner: wire.Owner | None) -> wire.Object:
    return wire.Object(
        key=key,
        last_modified=version.modified,
        e_tag=f'"{version.etag}"',
        size=version.size,
        storage_class=version.headers.get("x-amz-storage-class", "STANDARD"),
        owner=owner,
        checksum_algorithm=list(version.checksum) or None,
        checksum_type=_sum_type(version),
    )


def _sum_type(version: Version) -> str | None:
    if not version.checksum:
        return None
    return "FULL_OBJECT" if version.whole else "COMPOSITE"


def _prefixes(page: Page, write: Any) -> list[wire.CommonPrefix] | None:
    return [wire.CommonPrefix(prefix=write(text)) for text in page.prefixes] or None


@operation("ListObjectsV2", targets=on_bucket("ListBucket"))
def list_objects_v2(
    call: Call, request: wire.ListObjectsV2Request, _bucket: Target
) -> wire.ListObjectsV2Output:
    """Return a page of the bucket's keys."""
    bucket = bucket_named(call, request.bucket)
    token = request.continuation_token
    after, passed = _token_read(token) if token is not None else (request.start_after or "", False)
    asked = msgspec.structs.replace(asked_of(request, after), passed=passed)
    page, write = page_of(call, bucket, asked), encoder(request)
    owner = wire.Owner(id=owner_id(bucket.account)) if request.fetch_owner == "true" else None
    return wire.ListObjectsV2Output(
        name=bucket.name,
        prefix=write(asked.prefix),
        delimiter=write(request.delimiter or None),
        max_keys=MOST if request.max_keys is None else request.max_keys,
        key_count=len(page.found) + len(page.prefixes),
        is_truncated=page.truncated,
        continuation_token=token,
        next_continuation_token=_token(page) if page.truncated else None,
        start_after=write(request.start_after) if token is None else None,
        encoding_type=request.encoding_type,
        contents=[
            msgspec.structs.replace(_object(key, version, owner), key=write(key))
            for key, version in page.found
        ]
        or None,
        common_prefixes=_prefixes(page, write),
    )


def _token(page: Page) -> str:
    text = (_PASSED if page.passed else _TOLD) + page.last
    return base64.urlsafe_b64encode(text.encode()).decode()


def _token_read(token: str) -> tuple[str, bool]:
    """What the page before ended with, and whether that was passed over.

    Raises:
        errors.InvalidS3Argument: no answer had such a token.
    """
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if text[:1] not in {_TOLD, _PASSED} or not text:
        raise errors.InvalidS3Argument(
            "The continuation token provided is incorrect", {"ArgumentName": "continuation-token"}
        )
    return text[1:], text[0] == _PASSED


@operation("ListObjects", targets=on_bucket("ListBucket"))
def list_objects(call: Call, request: wire.ListObjectsRequest, _bucket: Target) -> wire.ListObjectsOutput:
    """Return a page of the bucket's keys, as older clients ask for it."""
    bucket = bucket_named(call, request.bucket)
    asked = asked_of(request, request.marker or "")
    asked = msgspec.structs.replace(asked, resumes=not asked.delimiter)
    page, write = page_of(call, bucket, asked), encoder(request)
    owner = wire.Owner(id=owner_id(bucket.account))
    return wire.ListObjectsOutput(
        name=bucket.name,
        prefix=write(asked.prefix),
        marker=write(request.marker or ""),
        delimiter=write(request.delimiter or None),
        max_keys=MOST if request.max_keys is None else request.max_keys,
        is_truncated=page.truncated,
        next_marker=write(page.last) if page.truncated and (asked.delimiter or page.passed) else None,
        encoding_type=request.encoding_type,
        contents=[
            msgspec.structs.replace(_object(key, version, owner), key=write(key))
            for key, version in page.found
        ]
        or None,
        common_prefixes=_prefixes(page, write),
    )


# ------------------------------------------------------------------------------ versions


def _last_stamp(call: Call, bucket: Bucket, key: str, version_id: str) -> str:
    """The stamp of the version that the page before ended with; one that is gone has no name but its stamp."""
    found = peek(call, bucket, key, version_id)
    if found is not None:
        return found.stamp
    return PAST_ALL if version_id == NULL else version_id


def _check_marker(request: Any) -> None:
    """None, if the marker of a version can be one.

    Raises:
        errors.InvalidS3Argument: it cannot.
    """
    marker = request.version_id_marker
    if marker is None:
        return
    about = {"ArgumentName": "version-id-marker", "ArgumentValue": marker}
    if not request.key_marker:
        if marker:
            raise errors.InvalidS3Argument(
                "A version-id marker cannot be specified without a key marker.", about
            )
    elif not marker:
        raise errors.InvalidS3Argument("A version-id marker cannot be empty.", about)
    elif not is_id(marker):
        raise errors.InvalidS3Argument("Invalid version id specified", about)


@operation("ListObjectVersions", targets=on_bucket("ListBucketVersions"))
def list_object_versions(
    call: Call, request: wire.ListObjectVersionsRequest, _bucket: Target
) -> wire.ListObjectVersionsOutput:
    """Return a page of all versions and delete markers."""
    bucket = bucket_named(call, request.bucket)
    _check_marker(request)
    write = encoder(request)
    if request.max_keys is not None and request.max_keys < 0:  # in words of its own
        raise errors.InvalidS3Argument("max-keys cannot be negative", {"ArgumentName": "max-keys"})
    asked = asked_of(request, request.key_marker or "")
    answer = _Versions(owner=wire.Owner(id=owner_id(bucket.account)), write=write, rows=[], prefixes=[])
    last = None
    if asked.after and request.version_id_marker:
        last = asked.after, _last_stamp(call, bucket, asked.after, request.version_id_marker)
    walk = Merged(
        *(walk_of(call, each, bucket, asked, including=last is not None) for each in (OBJECTS, MARKERS))
    )
    for key, version, latest in every(call, bucket, walk, last) if asked.most else ():
        common = common_prefix(key, asked.prefix, asked.delimiter)
        if common is not None and common in answer.prefixes[-1:]:
            continue
        if len(answer.rows) + len(answer.prefixes) >= asked.most:
            answer.truncated = True
            break
        answer.take(key, version, common, latest=latest)
        if common is not None:
            walk.skip(common)
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
                storage_class=version.headers.get("x-amz-storage-class", "STANDARD"),
                checksum_algorithm=list(version.checksum) or None,
                checksum_type=_sum_type(version),
                **shared,
            )
        )


OPERATIONS = (list_objects, list_objects_v2, list_object_versions)
