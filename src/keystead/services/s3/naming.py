"""Which names buckets can have."""

from __future__ import annotations

import re
from typing import Final

from keystead import errors

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_FORBIDDEN_STARTS: Final = ("xn--", "sthree-")
_FORBIDDEN_ENDS: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_RESERVED: Final = frozenset({"healthz", "metrics", "readyz"})
"""Paths of the server's own, which a bucket of that name would be under."""


def check_name(name: str | None) -> str:
    """The name, if a bucket can have it (Amazon S3 User Guide, "General purpose bucket naming rules").

    Raises:
        errors.InvalidBucketName: it cannot.
    """
    text = name or ""
    if (
        _NAME.fullmatch(text) is None
        or ".." in text
        or _ADDRESS.fullmatch(text) is not None
        or text.startswith(_FORBIDDEN_STARTS)
        or text.endswith(_FORBIDDEN_ENDS)
        or text in _RESERVED
    ):
        raise errors.InvalidBucketName(about={"BucketName": text})
    return text
