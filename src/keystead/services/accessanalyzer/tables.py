"""What the service stores: analyzers with their archive rules, what they found, and what they looked at."""

from __future__ import annotations

import msgspec

from keystead.storage import Table


class Criterion(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a filter asks of one key; None asks nothing."""

    eq: tuple[str, ...] | None = None
    neq: tuple[str, ...] | None = None
    contains: tuple[str, ...] | None = None
    exists: bool | None = None


class ArchiveRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which new findings are archived at once; times are epoch seconds."""

    name: str
    filter: dict[str, Criterion]
    created: float
    updated: float


class Analyzer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An analyzer as its owner made it; `id` tells it from another that had its name before."""

    account: str
    region: str
    name: str
    id: str
    type: str
    created: float
    tags: dict[str, str] = {}
    rules: tuple[ArchiveRule, ...] = ()

    @property
    def place(self) -> str:
        """The key of its record, and what the keys of its findings begin with."""
        return f"{self.account}/{self.region}/{self.name}"

    @property
    def arn(self) -> str:
        """Its ARN."""
        return analyzer_arn(self.account, self.region, self.name)


ANALYZERS: Table[Analyzer] = Table("analyzer", Analyzer)
"""account/region/name"""


def analyzer_arn(account: str, region: str, name: str) -> str:
    """The ARN of an analyzer."""
    return f"arn:aws:access-analyzer:{region}:{account}:analyzer/{name}"
