"""PutBucketCors, GetBucketCors, DeleteBucketCors."""

from __future__ import annotations

from typing import Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, on_bucket
from keystead.services.s3.crossing import CORS
from keystead.services.s3.documents import document_of, keep_document
from keystead.wire.models import s3 as wire

_MOST_RULES: Final = 100
_METHODS: Final = frozenset({"GET", "PUT", "HEAD", "POST", "DELETE"})


def _check(rule: wire.CORSRule) -> None:
    """None, if there can be such a rule.

    Raises:
        errors.MalformedXml, errors.InvalidS3Request: there cannot.
    """
    if not rule.allowed_origins or not rule.allowed_methods:
        raise errors.MalformedXml
    unknown = [method for method in rule.allowed_methods if method not in _METHODS]
    if unknown:
        raise errors.InvalidS3Request(
            f"Found unsupported HTTP method in CORS config. Unsupported method is {unknown[0]}"
        )
    for name, texts in (
        ("AllowedOrigin", rule.allowed_origins),
        ("AllowedHeader", rule.allowed_headers or ()),
    ):
        wild = next((text for text in texts if text.count("*") > 1), None)
        if wild is not None:
            raise errors.InvalidS3Request(f'{name} "{wild}" can not have more than one wildcard.')
    exposed = next((text for text in rule.expose_headers or () if "*" in text), None)
    if exposed is not None:
        raise errors.InvalidS3Request(
            f'ExposeHeader "{exposed}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
        )


@operation("PutBucketCors", targets=on_bucket("PutBucketCORS"), changes=True)
def put_bucket_cors(call: Call, request: wire.PutBucketCorsRequest, _bucket: Target) -> None:
    """Keep which pages of other origins may do what."""
    given = request.cors_configuration
    rules = given.cors_rules if given is not None else None
    if not rules or len(rules) > _MOST_RULES:
        raise errors.MalformedXml
    for rule in rules:
        _check(rule)
    keep_document(call, bucket_named(call, request.bucket), CORS, given)


@operation("GetBucketCors", targets=on_bucket("GetBucketCORS"))
def get_bucket_cors(
    call: Call, request: wire.GetBucketCorsRequest, _bucket: Target
) -> wire.GetBucketCorsOutput:
    """Return what was kept."""
    bucket = bucket_named(call, request.bucket)
    found = document_of(bucket, CORS, wire.CORSConfiguration)
    if found is None:
        raise errors.NoSuchCors(about={"BucketName": bucket.name})
    return wire.GetBucketCorsOutput(cors_rules=found.cors_rules)


@operation("DeleteBucketCors", targets=on_bucket("PutBucketCORS"), changes=True)
def delete_bucket_cors(call: Call, request: wire.DeleteBucketCorsRequest, _bucket: Target) -> None:
    """Keep none of it."""
    keep_document(call, bucket_named(call, request.bucket), CORS, None)


OPERATIONS = (put_bucket_cors, get_bucket_cors, delete_bucket_cors)
