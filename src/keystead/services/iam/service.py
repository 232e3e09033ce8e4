"""The IAM service: all its chapters put together."""

from __future__ import annotations

from keystead.api.service import service
from keystead.wire.models import iam as wire

CHAPTERS = ()

IAM = service(wire.SERVICE, (operation for chapter in CHAPTERS for operation in chapter.OPERATIONS))
