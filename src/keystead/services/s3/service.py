"""The S3 service: all its chapters put together."""

from __future__ import annotations

from keystead import errors
from keystead.api.service import service
from keystead.services.s3 import (
    attributes,
    buckets,
    copying,
    cors,
    deleting,
    lifecycle,
    listing,
    locking,
    multipart,
    objects,
    policies,
    reencryption,
    settings,
    tagging,
    unset,
    uploads,
)
from keystead.services.s3.crossing import preflight
from keystead.wire.model import Shape
from keystead.wire.models import s3 as wire
from keystead.wire.validate import validate, violations

CHAPTERS = (
    buckets,
    objects,
    deleting,
    listing,
    copying,
    multipart,
    uploads,
    tagging,
    attributes,
    reencryption,
    settings,
    policies,
    cors,
    lifecycle,
    locking,
    unset,
)

_TOLD_OTHERWISE = "locationConstraint'"
"""What CreateBucket refuses in words of its own."""


def check(request: Shape) -> None:
    """None, if the request keeps its model's constraints.

    Raises:
        errors.MalformedXml: its document does not.
        errors.Validation: a header or a parameter does not.
    """
    if all(_TOLD_OTHERWISE in one.text for one in violations(request)):
        return
    documents = (
        getattr(request, member.attribute) for member in request.MEMBERS if member.location == "payload"
    )
    if any(isinstance(document, Shape) and violations(document) for document in documents):
        raise errors.MalformedXml
    validate(request)


S3 = service(
    wire.SERVICE,
    (operation for chapter in CHAPTERS for operation in chapter.OPERATIONS),
    check,
    preflight=preflight,
)
