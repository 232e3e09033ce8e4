"""The CloudTrail service: all its chapters put together."""

from __future__ import annotations

from keystead.api.service import service
from keystead.services.cloudtrail import lookup, selectors, status, tags, trails
from keystead.wire.models import cloudtrail as wire

CHAPTERS = (lookup, selectors, status, tags, trails)

CLOUDTRAIL = service(wire.SERVICE, (operation for chapter in CHAPTERS for operation in chapter.OPERATIONS))
