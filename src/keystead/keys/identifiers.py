"""Key identifiers as callers write them: key id, key ARN, alias name, alias ARN.

Source: AWS KMS Developer Guide, "Key identifiers (KeyId)".
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from keystead import arn, errors

_KEY_ID = re.compile(r"(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|mrk-[0-9a-f]{32})")
_ACCOUNT = re.compile(r"[0-9]{12}")
ALIAS_PREFIX = "alias/"
_MOST_KEPT = 4096  # identifiers, of which the API takes 2,048 characters at most


class KeyRef(msgspec.Struct, frozen=True):
    """Where a caller's identifier points: a key id or an alias name, in an account and Region.

    `place` is the key's in the store; empty for an alias, which may name another key at any time.
    """

    account: str
    region: str
    key_id: str | None
    alias: str | None
    by_arn: bool
    place: str = ""


def is_key_id(text: str) -> bool:
    """True for a UUID with dashes or `mrk-` and 32 lower-case hex digits."""
    return _KEY_ID.fullmatch(text) is not None


@lru_cache(_MOST_KEPT)
def parse_key_ref(text: str, account: str, region: str) -> KeyRef:
    """What `text` points to for a caller in `account` and `region`; remembered, because callers name the same keys.

    Raises:
        errors.NotFound: it is no key identifier, or an ARN of another Region.
        errors.InvalidArn: it is an ARN of something else.
    """
    if text.startswith("arn:"):
        return _parse_arn(text, region)
    if text.startswith(ALIAS_PREFIX):
        return KeyRef(account, region, None, text, by_arn=False)
    if not is_key_id(text):
        raise errors.NotFound(f"Invalid keyId '{text}'")
    return KeyRef(account, region, text, None, by_arn=False, place=f"{account}/{region}/{text}")


def _parse_arn(text: str, region: str) -> KeyRef:
    try:
        parts = arn.parse(text)
    except ValueError:
        raise errors.InvalidArn(f"Invalid arn {text}") from None
    if parts.partition != arn.PARTITION or parts.service != "kms" or not _ACCOUNT.fullmatch(parts.account):
        raise errors.InvalidArn(f"Invalid arn {text}")
    if parts.region != region:
        raise errors.NotFound(f"Invalid arn {parts.region}")
    if parts.resource.startswith(ALIAS_PREFIX):
        return KeyRef(parts.account, parts.region, None, parts.resource, by_arn=True)
    kind, _, key_id = parts.resource.partition("/")
    if kind != "key":
        raise errors.InvalidArn(f"Invalid arn {text}")
    if not is_key_id(key_id):
        raise errors.NotFound(f"Invalid keyId '{key_id}'")
    place = f"{parts.account}/{parts.region}/{key_id}"
    return KeyRef(parts.account, parts.region, key_id, None, by_arn=True, place=place)
