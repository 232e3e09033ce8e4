"""From a request to its bucket, and the permissions that takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target
from keystead.api.authorize import check
from keystead.api.operation import Targets
from keystead.audit.event import BUCKET_TYPE, OBJECT_TYPE
from keystead.policy import CompiledPolicy, compile_policy, parse
from keystead.policy.publicness import is_public
from keystead.policy.s3_keys import PARAMETERS
from keystead.services.s3.crossing import note_origin
from keystead.services.s3.naming import check_name
from keystead.services.s3.tables import BUCKETS, Bucket
from keystead.services.s3.versions import peek
from keystead.wire.address import url_of
from keystead.wire.claim import ALGORITHM
from keystead.wire.model import Shape

_ACCOUNT_ID: Final = re.compile(r"\d{12}", re.ASCII)

LONGEST_KEY: Final = 1024
_MOST_COMPILED: Final = 1024

Facts = dict[str, str | list[str]]
FactsOf = Callable[[Any], Facts]


def bucket_named(call: Call, name: str | None) -> Bucket:
    """The bucket, which must be of the Region that is called.

    Raises:
        errors.NoSuchBucket: there is none.
        errors.InvalidBucketName: there cannot be one.
        errors.AuthorizationHeaderMalformed: it is in another Region, which is told.
    """
    found = call.tx.get(BUCKETS, name) if name and "\0" not in name else None
    if found is None:
        raise errors.NoSuchBucket(about={"BucketName": check_name(name)})
    if call.exchange is not None and call.exchange.origin and call.exchange.address.bucket == name:
        note_origin(found, call.exchange)
    if found.region != call.region and call.account:
        if call.exchange is not None:
            call.exchange.headers.append(("x-amz-bucket-region", found.region))
        raise errors.AuthorizationHeaderMalformed(
            f"The authorization header is malformed; the region '{call.region}' is wrong; expecting '{found.region}'",
            {"Region": found.region},
        )
    return found


def object_key(key: str | None) -> str:
    """The key, if an object can have it.

    Raises:
        errors.KeyTooLong: it takes more than 1024 bytes.
        errors.InvalidUri: it holds a NUL, or no text.
    """
    text = key or ""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise errors.InvalidUri from None
    if size > LONGEST_KEY:
        raise errors.KeyTooLong(about={"Size": str(size), "MaxSizeAllowed": str(LONGEST_KEY)})
    if not text or "\0" in text:
        raise errors.InvalidUri
    return text


def location_of(call: Call, bucket: str, key: str = "") -> str:
    """Where a bucket or an object is, as the caller addressed it; a path, for who asked over no network."""
    if call.exchange is None:
        return f"/{bucket}/{key}"
    return url_of(call.exchange.host, bucket, key, secure=call.secure)


# ------------------------------------------------------------------------------ targets


def on_service(action: str) -> Targets:
    """The target of an operation that is about no one bucket; who signs nothing has no account."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        if not call.account:
            raise errors.S3AccessDenied
        return (Target(f"s3:{action}", "*", call.account, facts=facts_of(call, request)),)

    return targets


def on_bucket(action: str) -> Targets:
    """The bucket that the request names."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        bucket = bucket_named(call, request.bucket)
        check_owner(bucket, getattr(request, "expected_bucket_owner", None))
        return (bucket_target(call, bucket, action, facts_of(call, request)),)

    return targets


_BY_TAGS: Final = frozenset(
    [
        "GetObject",
        "GetObjectAcl",
        "GetObjectVersion",
        "GetObjectVersionAcl",
        "GetObjectTagging",
        "GetObjectVersionTagging",
        "PutObjectTagging",
        "PutObjectVersionTagging",
        "DeleteObjectTagging",
        "DeleteObjectVersionTagging",
    ]
)
"""Permissions whose conditions can ask for the tags of the object (`s3:ExistingObjectTag/…`)."""


def existing_tags(call: Call, bucket: Bucket, key: str, version_id: str | None, action: str) -> Facts:
    """What conditions can ask of the tags that the object has."""
    found = peek(call, bucket, key, version_id) if action in _BY_TAGS else None
    return {} if found is None else tag_facts(found.tags, "s3:ExistingObjectTag")


def request_tags(request: Any) -> Facts:
    """What conditions can ask of the tags in the request's document."""
    given = getattr(getattr(request, "tagging", None), "tag_set", None)
    tags = {tag.key or "": tag.value or "" for tag in given or ()}
    facts = tag_facts(tags, "s3:RequestObjectTag")
    if tags:
        facts["s3:RequestObjectTagKeys"] = list(tags)
    return facts


def on_object(action: str, versioned: str = "") -> Targets:
    """The object that the request names; `versioned` is the permission that a version takes."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        bucket = bucket_named(call, request.bucket)
        check_owner(bucket, getattr(request, "expected_bucket_owner", None))
        version_id = getattr(request, "version_id", None)
        used, key = versioned if versioned and version_id else action, object_key(request.key)
        tags = existing_tags(call, bucket, key, version_id, used)
        facts = facts_of(call, request) | request_tags(request) | tags
        return (object_target(call, bucket, key, used, facts),)

    return targets


def bucket_target(call: Call, bucket: Bucket, action: str, facts: Facts | None = None) -> Target:
    """A permission on the bucket."""
    return Target(
        f"s3:{action}",
        bucket.arn,
        bucket.account,
        facts=_owned(bucket, facts),
        policy=policy_of(call, bucket),
        kind=BUCKET_TYPE,
    )


def object_target(call: Call, bucket: Bucket, key: str, action: str, facts: Facts | None = None) -> Target:
    """A permission on an object of the bucket, which need not be there."""
    return Target(
        f"s3:{action}",
        f"{bucket.arn}/{key}",
        bucket.account,
        facts=_owned(bucket, facts),
        policy=policy_of(call, bucket),
        kind=OBJECT_TYPE,
    )


def facts_of(call: Call, request: Any) -> Facts:
    """What conditions can ask of a request to S3."""
    facts: Facts = {"s3:signatureversion": _version(call), "s3:authType": _auth_type(call)}
    kind: type[Shape] = type(request)
    for attribute, name in _parameters(kind):
        value = getattr(request, attribute)
        if value is not None:
            facts[name] = value if isinstance(value, str) else str(value)
    if call.tls is not None:
        facts["s3:TlsVersion"] = call.tls[0].removeprefix("TLSv")
    return facts


@cache
def _parameters(request: type[Shape]) -> tuple[tuple[str, str], ...]:
    """The attributes of such a request that conditions can ask for, and how."""
    return tuple((attribute, name) for attribute, name in PARAMETERS.items() if hasattr(request, attribute))


def _owned(bucket: Bucket, facts: Facts | None) -> Facts:
    return {**(facts or {}), "aws:ResourceAccount": bucket.account, "s3:ResourceAccount": bucket.account}


def _version(call: Call) -> str:
    return call.exchange.version if call.exchange is not None else ALGORITHM


def _auth_type(call: Call) -> str:
    if call.exchange is not None and call.exchange.form:
        return "POST"
    return "REST-QUERY-STRING" if call.exchange is not None and call.exchange.presigned else "REST-HEADER"


def check_owner(bucket: Bucket, expected: str | None) -> None:
    """None, if the bucket is whose the request says, or if it says nothing.

    Raises:
        errors.InvalidBucketOwner: no account has such an id.
        errors.S3AccessDenied: it is another account's.
    """
    if expected is None or expected == bucket.account:
        return
    raise errors.S3AccessDenied if _ACCOUNT_ID.fullmatch(expected) else errors.InvalidBucketOwner


def reveal(call: Call, bucket: Bucket) -> None:
    """None, if the caller may know which objects there are; who may not is denied instead of told "not found".

    Raises:
        errors.AccessDenied: it may not.
    """
    check(call, bucket_target(call, bucket, "ListBucket"))


# ------------------------------------------------------------------------------ bucket policies


def policy_of(call: Call, bucket: Bucket) -> CompiledPolicy | None:
    """The bucket's policy, as far as it counts for the caller.

    A public one lets in nobody from outside the account while the bucket restricts that (Amazon S3 User Guide,
    "Blocking public access to your Amazon S3 storage").
    """
    if not bucket.policy:
        return None
    block = bucket.public_access
    outside = call.account != bucket.account and not call.caller.name.endswith(".amazonaws.com")
    if block is not None and block.restrict and outside and is_public(bucket.policy):
        return compiled_denials(bucket.policy, bucket.bound)
    return compiled(bucket.policy, bucket.bound)


@lru_cache(_MOST_COMPILED)
def compiled(text: str, bound: tuple[tuple[str, str], ...]) -> CompiledPolicy:
    """The policy compiled; once per version, since the text is the version."""
    return compile_policy(parse(text), "bucket", dict(bound))


@lru_cache(_MOST_COMPILED)
def compiled_denials(text: str, bound: tuple[tuple[str, str], ...]) -> CompiledPolicy:
    """The policy without what it allows."""
    document = parse(text)
    denials = tuple(item for item in document.statements if item.effect == "Deny")
    return compile_policy(msgspec.structs.replace(document, statements=denials), "bucket", dict(bound))


def tag_facts(tags: Mapping[str, str], prefix: str) -> Facts:
    """Condition keys of tags, e.g. `s3:ExistingObjectTag/team`."""
    return {f"{prefix}/{name}": value for name, value in tags.items()}


def owner_id(account: str) -> str:
    """The canonical user id of an account: 64 hex digits, the same always."""
    return sha256(f"canonical user {account}".encode()).hexdigest()
