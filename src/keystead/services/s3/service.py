"""The S3 service: all its chapters put together."""

from __future__ import annotations

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
from keystead.services.s3.wording import check
from keystead.wire.models import s3 as wire

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

S3 = service(
    wire.SERVICE,
    (operation for chapter in CHAPTERS for operation in chapter.OPERATIONS),
    check,
    preflight=preflight,
)
