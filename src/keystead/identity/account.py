"""Accounts: the owners of keys, identities and credentials."""

from __future__ import annotations

import re

import msgspec

from keystead import errors

_ACCOUNT_ID = re.compile(r"[0-9]{12}")


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account by its 12-digit id.

    `alias` is its name for people (IAM's account alias). `organization` is the id of the organization that
    it belongs to, empty if none; `parent` then is the root or unit that holds it, `policies` the ids of the
    organization's policies attached to the account itself.
    """

    id: str
    name: str
    created: float
    alias: str = ""
    email: str = ""
    organization: str = ""
    parent: str = ""
    policies: tuple[str, ...] = ()
    joined: float = 0.0
    joined_method: str = ""
    status: str = "ACTIVE"
    tags: dict[str, str] = {}


def check_account_id(text: str) -> str:
    """`text`, which is 12 digits.

    Raises:
        errors.SettingsError: it is not.
    """
    if not _ACCOUNT_ID.fullmatch(text):
        raise errors.SettingsError(f"account id must be 12 digits, not {text!r}")
    return text
