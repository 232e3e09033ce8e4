"""Amazon Resource Names: `arn:partition:service:region:account:resource`."""

from __future__ import annotations

import re
from typing import Final

import msgspec

PARTITION = "aws"
REGION: Final = r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
"""What a Region's name is like, as a regular expression."""
_REGION: Final = re.compile(REGION)


class Arn(msgspec.Struct, frozen=True):
    """The six parts of an ARN; `resource` may itself hold colons and slashes."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def parse(text: str) -> Arn:
    """The parts of `text`.

    Raises:
        ValueError: `text` does not start with `arn:` or has fewer than six parts.
    """
    found = split(text)
    if found is None:
        raise ValueError(f"not an ARN: {text!r}")
    return found


def split(text: str) -> Arn | None:
    """The parts of `text`, None if it is no ARN."""
    parts = text.split(":", 5)
    return Arn(*parts[1:]) if len(parts) == 6 and parts[0] == "arn" else None  # noqa: PLR2004 - the parts of an ARN


def is_region(text: str) -> bool:
    """Whether a text can name a Region."""
    return _REGION.fullmatch(text) is not None


def account_in(text: str) -> str:
    """The account in an ARN, nothing if `text` is none."""
    found = split(text)
    return "" if found is None else found.account


def key_arn(region: str, account: str, key_id: str) -> str:
    """The ARN of a KMS key."""
    return f"arn:{PARTITION}:kms:{region}:{account}:key/{key_id}"


def alias_arn(region: str, account: str, alias_name: str) -> str:
    """The ARN of an alias; `alias_name` starts with `alias/`."""
    return f"arn:{PARTITION}:kms:{region}:{account}:{alias_name}"


def root_arn(account: str) -> str:
    """The ARN that names an account and its root user."""
    return f"arn:{PARTITION}:iam::{account}:root"
