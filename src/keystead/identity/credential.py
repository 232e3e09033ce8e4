"""Access keys: an id that travels and a secret that signs."""

from __future__ import annotations

import base64
import re

import msgspec

from keystead import errors
from keystead.entropy import Entropy

_ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9_]{1,128}")


class Credential(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A long-term access key. Its repr keeps the secret to itself.

    It speaks for the user with unique id `user`; without one, for the account's root; with `service`, for
    that service principal (`s3.amazonaws.com`), which has no account.
    """

    access_key_id: str
    secret: str
    account: str
    created: float
    active: bool = True
    user: str = ""
    service: str = ""

    def __repr__(self) -> str:
        return f"Credential({self.access_key_id})"


def check_credential(access_key_id: str, secret: str) -> None:
    """Return if the pair can be used as an access key.

    Raises:
        errors.SettingsError: the id has other characters than letters, digits and `_`, or a part is empty.
    """
    if not _ACCESS_KEY_ID.fullmatch(access_key_id):
        raise errors.SettingsError("access key id must be 1 to 128 letters, digits or underscores")
    if not secret:
        raise errors.SettingsError("secret access key must not be empty")


def new_access_key(entropy: Entropy) -> tuple[str, str]:
    """A fresh access key id (`AKIA` and 16 of A-Z, 2-7) and secret (40 characters, 240 random bits)."""
    key_id = "AKIA" + base64.b32encode(entropy.random(10)).decode()
    return key_id, new_secret(entropy)


def new_secret(entropy: Entropy) -> str:
    """A fresh secret access key (40 characters, 240 random bits)."""
    return base64.b64encode(entropy.random(30)).decode()
