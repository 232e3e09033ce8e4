"""Settings that are kept as they come: CORS rules and lifecycle rules."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, on_bucket
from keystead.services.s3.settings import change
from keystead.services.s3.tables import Bucket
from keystead.wire.models import s3 as wire

T = TypeVar("T")

CORS: Final = "cors"
LIFECYCLE: Final = "lifecycle"
_MOST_CORS_RULES: Final = 100
_MOST_LIFECYCLE_RULES: Final = 1000
_METHODS: Final = frozenset({"GET", "PUT", "HEAD", "POST", "DELETE"})


def document_of(bucket: Bucket, name: str, kind: type[T]) -> T | None:
    """A setting of the bucket, None if it has none."""
    text = bucket.documents.get(name)
    return None if text is None else msgspec.json.decode(text, type=kind)


def _keep(call: Call, request: Any, name: str, document: Any) -> None:
    bucket = bucket_named(call, request.bucket)
    documents = {key: text for key, text in bucket.documents.items() if key != name}
    if document is not None:
        documents[name] = msgspec.json.encode(document).decode()
    change(call, bucket, documents=documents)


# ------------------------------------------------------------------------------ CORS


@operation("PutBucketCors", targets=on_bucket("PutBucketCORS"), changes=True)
def put_bucket_cors(call: Call, request: wire.PutBucketCorsRequest, _bucket: Target) -> None:
    """Keep which pages of other origins may do what."""
    given = request.cors_configuration
    rules = given.cors_rules if given is not None else None
    if not rules or len(rules) > _MOST_CORS_RULES:
        raise errors.MalformedXml
    for rule in rules:
        if not rule.allowed_origins or not rule.allowed_methods:
            raise errors.MalformedXml
        unknown = [method for method in rule.allowed_methods if method not in _METHODS]
        if unknown:
            raise errors.InvalidS3Request(
                f"Found unsupported HTTP method in CORS config. Unsupported method is {unknown[0]}"
            )
    _keep(call, request, CORS, given)


@operation("GetBucketCors", targets=on_bucket("GetBucketCORS"))
def get_bucket_cors(
    call: Call, request: wire.GetBucketCorsRequest, _bucket: Target
) -> wire.GetBucketCorsOutput:
    """Return what was kept."""
    found = document_of(bucket_named(call, request.bucket), CORS, wire.CORSConfiguration)
    if found is None:
        raise errors.NoSuchCors
    return wire.GetBucketCorsOutput(cors_rules=found.cors_rules)


@operation("DeleteBucketCors", targets=on_bucket("PutBucketCORS"), changes=True)
def delete_bucket_cors(call: Call, request: wire.DeleteBucketCorsRequest, _bucket: Target) -> None:
    """Keep none of it."""
    _keep(call, request, CORS, None)


# ------------------------------------------------------------------------------ lifecycle


@operation("PutBucketLifecycleConfiguration", targets=on_bucket("PutLifecycleConfiguration"), changes=True)
def put_bucket_lifecycle_configuration(
    call: Call, request: wire.PutBucketLifecycleConfigurationRequest, _bucket: Target
) -> wire.PutBucketLifecycleConfigurationOutput:
    """Keep which objects are to go when; transitions to other classes are refused, there are none."""
    given = request.lifecycle_configuration
    rules = given.rules if given is not None else None
    if not rules or len(rules) > _MOST_LIFECYCLE_RULES:
        raise errors.MalformedXml
    for rule in rules:
        if rule.status not in {"Enabled", "Disabled"}:
            raise errors.MalformedXml
        if rule.transitions or rule.noncurrent_version_transitions:
            raise errors.NotImplementedHere(
                "This server does not support transitions to other storage classes."
            )
    _keep(call, request, LIFECYCLE, given)
    return wire.PutBucketLifecycleConfigurationOutput()


@operation("GetBucketLifecycleConfiguration", targets=on_bucket("GetLifecycleConfiguration"))
def get_bucket_lifecycle_configuration(
    call: Call, request: wire.GetBucketLifecycleConfigurationRequest, _bucket: Target
) -> wire.GetBucketLifecycleConfigurationOutput:
    """Return what was kept."""
    found = document_of(bucket_named(call, request.bucket), LIFECYCLE, wire.BucketLifecycleConfiguration)
    if found is None:
        raise errors.NoSuchLifecycle
    return wire.GetBucketLifecycleConfigurationOutput(rules=found.rules)


@operation("DeleteBucketLifecycle", targets=on_bucket("PutLifecycleConfiguration"), changes=True)
def delete_bucket_lifecycle(call: Call, request: wire.DeleteBucketLifecycleRequest, _bucket: Target) -> None:
    """Keep none of it."""
    _keep(call, request, LIFECYCLE, None)


OPERATIONS = (
    put_bucket_cors,
    get_bucket_cors,
    delete_bucket_cors,
    put_bucket_lifecycle_configuration,
    get_bucket_lifecycle_configuration,
    delete_bucket_lifecycle,
)
