"""Accounts: the owners of keys and credentials."""

from __future__ import annotations

import re

import msgspec

from keystead import errors

_ACCOUNT_ID = re.compile(r"[0-9]{12}")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account by its 12-digit id."""

    id: str
    name: str
    created: float


def check_account_id(text: str) -> str:
    """`text`, which is 12 digits.

    Raises:
        errors.SettingsError: it is not.
    """
    if not _ACCOUNT_ID.fullmatch(text):
        raise errors.SettingsError(f"account id must be 12 digits, not {text!r}")
    return text
