"""The policies that AWS manages, under their AWS names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec


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


AWS_MANAGED: Final[Mapping[str, AwsManagedPolicy]] = {}
"""By ARN."""
