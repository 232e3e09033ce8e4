"""PutObject, GetObject, HeadObject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3 import rules
from keystead.services.s3.access import (
    bucket_named,
    check_owner,
    facts_of,
    object_key,
    object_target,
    on_object,
    reveal,
    tag_facts,
)
from keystead.services.s3.encryption import Choice, chosen, customer_key
from keystead.services.s3.kept import (
    HEADERS,
    check_offered,
    checksums,
    encrypted,
    expires_told,
    headers_of,
    metadata_of,
    tags_of,
    version_told,
)
from keystead.services.s3.protecting import (
    asked_of,
    header_facts,
    permissions,
    protection_of,
)
from keystead.services.s3.protecting import told as protection_told
from keystead.services.s3.reading import (
    Span,
    bytes_of,
    check_conditions,
    key_of,
    matches,
    send,
    span_of,
    span_of_part,
)
from keystead.services.s3.tables import Bucket, Version
from keystead.services.s3.versions import current, find, publish
from keystead.services.s3.writing import Written, forget, recorded, take_in
from keystead.wire.models import s3 as wire

# ------------------------------------------------------------------------------ PutObject


def on_put(call: Call, request: Any) -> tuple[Target, ...]:
    """The object, and what its tags take besides."""
    bucket = bucket_named(call, request.bucket)
    key = object_key(request.key)
    check_owner(bucket, request.expected_bucket_owner)
    tags = tags_of(request.tagging)
    facts = facts_of(call, request) | tag_facts(tags, "s3:RequestObjectTag") | header_facts(call, request)
    if tags:
        facts["s3:RequestObjectTagKeys"] = list(tags)
    actions = ["PutObject", *(["PutObjectTagging"] if tags else []), *permissions(request)]
    return tuple(object_target(call, bucket, key, action, facts) for action in actions)


def check_write(call: Call, bucket: Bucket, key: str, request: Any) -> None:
    """None, if the object may be replaced; what is there now is a condition of the change.

    Raises:
        errors.PreconditionFailed: If-None-Match or If-Match says no.
        errors.NoSuchKey: If-Match, and there is nothing.
    """
    wanted, unwanted = request.if_match, request.if_none_match
    if wanted is None and unwanted is None:
        return
    if unwanted is not None and unwanted.strip() != "*":
        raise errors.NotImplementedHere(about={"Header": "If-None-Match"})
    newest = current(call, bucket, key)
    there = newest is not None and not newest.marker
    if unwanted is not None and there:
        raise errors.PreconditionFailed(about={"Condition": "If-None-Match"})
    if wanted is not None:
        if not there or newest is None:
            raise errors.NoSuchKey(about={"Key": key})
        if not matches(wanted, newest.etag):
            raise errors.PreconditionFailed(about={"Condition": "If-Match"})


def _version(call: Call, bucket: Bucket, written: Written, request: Any) -> Version:
    return Version(
        id="",
        stamp="",
        place=written.place,
        modified=call.now,
        size=written.piece.size,
        etag=written.etag,
        pieces=recorded(call, written),
        envelope=written.envelope,
        headers=headers_of(request),
        metadata=metadata_of(request),
        tags=tags_of(request.tagging),
        checksum=written.checksum,
        protection=protection_of(call, bucket, asked_of(call, bucket, request)),
    )


@operation("PutObject", targets=on_put, changes=True, brief=True)
def put_object(call: Call, request: wire.PutObjectRequest, *_targets: Target) -> wire.PutObjectOutput:
    """Keep an object, encrypted; it is there when this has answered."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    check_offered(request)
    metadata_of(request)
    asked_of(call, bucket, request)
    check_write(call, bucket, key, request)
    choice: Choice = chosen(call, bucket, key, request)
    written = take_in(call, bucket, key, choice)
    try:
        made = publish(call, bucket, key, _version(call, bucket, written, request))
    except BaseException:
        forget(call, written)
        raise
    return wire.PutObjectOutput(
        e_tag=f'"{made.etag}"',
        version_id=version_told(bucket, made),
        expiration=rules.told(bucket, key, made),
        **encrypted(made.envelope),
        **checksums(made),
    )


# ------------------------------------------------------------------------------ GetObject, HeadObject

_on_read = on_object("GetObject", versioned="GetObjectVersion")


def _found(call: Call, bucket: Bucket, key: str, version_id: str | None) -> Version:
    """The version; who may not list is told nothing of what is not there."""
    try:
        return find(call, bucket, key, version_id)
    except (errors.NoSuchKey, errors.NoSuchVersion):
        reveal(call, bucket)
        raise


_LATIN_1: Final = 0xFF


def _span(version: Version, request: Any) -> Span:
    if request.part_number is None:
        return span_of(request.range, version.size)
    if request.range is not None:
        raise errors.InvalidS3Request("Cannot specify both Range header and partNumber query parameter")
    return span_of_part(request.part_number, version)


def _described(bucket: Bucket, version: Version, request: Any, span: Span) -> dict[str, Any]:
    """The members that GetObject and HeadObject share."""
    headers: Mapping[str, str] = version.headers
    told: dict[str, Any] = {attribute: headers.get(name) for attribute, name in HEADERS.items()}
    told |= {
        name.removeprefix("response_"): value
        for name in _OVERRIDES
        if (value := getattr(request, name, None))
    }
    told["expires"] = expires_told(told["expires"])
    if told.get("storage_class") == "STANDARD":
        told["storage_class"] = None
    whole = span.length == version.size
    sums = checksums(version) if (request.checksum_mode or "").upper() == "ENABLED" and whole else {}
    return {
        **told,
        "accept_ranges": "bytes",
        "content_length": span.length,
        "content_range": span.content_range(version.size),
        "e_tag": f'"{version.etag}"',
        "last_modified": version.modified,
        "metadata": version.metadata or None,
        "version_id": version_told(bucket, version),
        "parts_count": len(version.pieces) if request.part_number is not None and version.multipart else None,
        "tag_count": len(version.tags) or None,
        **encrypted(version.envelope),
        **sums,
    }


_OVERRIDES: Final = (
    "response_cache_control",
    "response_content_disposition",
    "response_content_encoding",
    "response_content_language",
    "response_content_type",
    "response_expires",
)


def _check_asked(call: Call, request: Any) -> None:
    """None, if the answer can be as the request wants it.

    Raises:
        errors.InvalidS3Request, errors.InvalidS3Argument: it cannot.
    """
    asked = {name: text for name in _OVERRIDES if (text := getattr(request, name)) is not None}
    if asked and not call.account:
        raise errors.InvalidS3Request(
            "Request specific response headers cannot be used for anonymous GET requests."
        )
    for name, text in asked.items():
        if any(ord(sign) > _LATIN_1 for sign in text):
            about = {"ArgumentName": name.replace("_", "-"), "ArgumentValue": text}
            raise errors.InvalidS3Argument("Header value cannot be represented using ISO-8859-1.", about)
    if (request.checksum_mode or "ENABLED").upper() != "ENABLED":
        raise errors.InvalidS3Request("Value for x-amz-checksum-mode header is invalid.")


def _customer(call: Call, request: Any) -> Any:
    return customer_key(
        call, request.sse_customer_algorithm, request.sse_customer_key, request.sse_customer_key_md5
    )


@operation("GetObject", targets=_on_read, brief=True)
def get_object(call: Call, request: wire.GetObjectRequest, _object: Target) -> wire.GetObjectOutput:
    """Return the object's bytes, or a range of them."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    _check_asked(call, request)
    version = _found(call, bucket, key, request.version_id)
    check_conditions(version, request)
    span = _span(version, request)
    data_key = key_of(call, bucket, key, version, _customer(call, request))
    send(call, bytes_of(call, bucket.name, key, version, data_key, span), span.length)
    _note_status(call, span)
    told = _described(bucket, version, request, span)
    told.pop("content_length")  # the door's own
    told |= protection_told(call, bucket, key, version)
    return wire.GetObjectOutput(**told, expiration=_end(call, bucket, key, version))


@operation("HeadObject", targets=_on_read, brief=True)
def head_object(call: Call, request: wire.HeadObjectRequest, _object: Target) -> wire.HeadObjectOutput:
    """Return what GetObject would say beside the bytes; no key is asked for it."""
    bucket, key = bucket_named(call, request.bucket), object_key(request.key)
    _check_asked(call, request)
    version = _found(call, bucket, key, request.version_id)
    check_conditions(version, request)
    span = _span(version, request)
    if version.envelope.check:
        key_of(call, bucket, key, version, _customer(call, request))
    _note_status(call, span)
    told = _described(bucket, version, request, span) | protection_told(call, bucket, key, version)
    return wire.HeadObjectOutput(**told, expiration=_end(call, bucket, key, version))


def _end(call: Call, bucket: Bucket, key: str, version: Version) -> str | None:
    """What is told of the version's end by lifecycle rules; of older ones nothing."""
    if rules.LIFECYCLE not in bucket.documents:
        return None
    newest = current(call, bucket, key)
    return rules.told(bucket, key, version) if newest is not None and newest.id == version.id else None


def _note_status(call: Call, span: Span) -> None:
    if span.partial and call.exchange is not None:
        call.exchange.status = 206


OPERATIONS = (put_object, get_object, head_object)
