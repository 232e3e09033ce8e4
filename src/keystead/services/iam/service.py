"""The IAM service: all its chapters put together."""

from __future__ import annotations

from keystead.api.service import service
from keystead.services.iam import (
    absent,
    access_keys,
    account,
    authorization_details,
    credential_report,
    groups,
    mfa,
    users,
)
from keystead.wire.models import iam as wire

CHAPTERS = (
    absent,
    access_keys,
    account,
    authorization_details,
    credential_report,
    groups,
    mfa,
    users,
)

IAM = service(wire.SERVICE, (operation for chapter in CHAPTERS for operation in chapter.OPERATIONS))
