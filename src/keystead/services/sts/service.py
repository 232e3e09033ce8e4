"""The STS service: all its chapters put together."""

from __future__ import annotations

from keystead.api.service import service
from keystead.services.sts import (
    access_keys,
    assume_role,
    caller_identity,
    decode,
    federation,
    session_token,
    web_identity,
)
from keystead.wire.models import sts as wire

CHAPTERS = (access_keys, assume_role, caller_identity, decode, federation, session_token, web_identity)

STS = service(wire.SERVICE, (operation for chapter in CHAPTERS for operation in chapter.OPERATIONS))
