"""The policies that AWS manages, under their AWS names: a useful set of them.

They belong to no account and cannot be changed. Their unique ids are Keystead's own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec

from keystead.policy.aws_managed.rows import ROWS, Row

_MADE: Final = 1_700_000_000.0
"""When they came to be, for those who ask: the same on every server."""


class AwsManagedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One policy of AWS: as GetPolicy and GetPolicyVersion show it. Times are epoch seconds."""

    arn: str
    name: str
    path: str
    id: str
    description: str
    version: str
    document: str
    created: float
    updated: float


def _policy(row: Row) -> AwsManagedPolicy:
    name, path, description, statements = row
    return AwsManagedPolicy(
        arn=f"arn:aws:iam::aws:policy{path}{name}",
        name=name,
        path=path,
        id="ANPA" + base64.b32encode(sha256(name.encode()).digest()).decode()[:17],
        description=description,
        version="v1",
        document=json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2),
        created=_MADE,
        updated=_MADE,
    )


AWS_MANAGED: Final[Mapping[str, AwsManagedPolicy]] = {policy.arn: policy for policy in map(_policy, ROWS)}
"""By ARN."""

__all__ = ["AWS_MANAGED", "AwsManagedPolicy"]
