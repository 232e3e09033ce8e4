"""Aliases: names that point to a key and can be pointed elsewhere.

Source: CreateAlias in the API reference; messages as AWS gives them.
"""

from __future__ import annotations

import re

import msgspec

from keystead import errors

PREFIX = "alias/"
RESERVED_PREFIX = "alias/aws/"
_ALLOWED = re.compile(r"[a-zA-Z0-9:/_-]+")


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """An alias in one account and Region."""

    name: str
    target: str
    """The bare key id."""
    created: float
    updated: float


def check_alias_name(name: str) -> None:
    """Return if a customer may use `name` (with its `alias/` prefix).

    Raises:
        errors.Validation: wrong prefix or characters.
        errors.NotAuthorized: the name is reserved for AWS managed keys.
    """
    if not name.startswith(PREFIX):
        raise errors.Validation(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if not _ALLOWED.fullmatch(name):
        raise errors.Validation(
            f"1 validation error detected: Value '{name}' at 'aliasName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"
        )
    if ":" in name or name == PREFIX:
        raise errors.Validation(f"{name} contains invalid characters for an alias")
    if name.startswith(RESERVED_PREFIX):
        raise errors.NotAuthorized("")
