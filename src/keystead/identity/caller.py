"""The caller of one request: what its signature proved."""

from __future__ import annotations

from typing import Final

import msgspec

ROOT: Final = "Root"


class Caller(msgspec.Struct, frozen=True, gc=False):
    """A principal, named as CloudTrail's userIdentity and GetCallerIdentity name it.

    `kind` is a userIdentity type; `principal_id` is the account id for an account's root.
    """

    kind: str
    arn: str
    account: str
    principal_id: str
    access_key_id: str
