"""Quotas: how many of each thing an account may have. All are settings.

Defaults: AWS KMS Developer Guide, "Resource quotas" (September 2026).
"""

from __future__ import annotations

import msgspec

from keystead.settings import Settings


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """The most of each resource; counted per account and Region unless the name says otherwise."""

    keys: int = 100_000
    aliases_per_key: int = 50
    grants_per_key: int = 50_000
    custom_key_stores: int = 10
    on_demand_rotations: int = 25
    regions: frozenset[str] = frozenset()
    """The Regions that are served, so the only ones where keys can be; empty means any."""


def quotas_of(settings: Settings) -> Quotas:
    """The quotas that the settings ask for."""
    return Quotas(
        keys=settings.quota_keys,
        aliases_per_key=settings.quota_aliases_per_key,
        grants_per_key=settings.quota_grants_per_key,
        custom_key_stores=settings.quota_custom_key_stores,
        on_demand_rotations=settings.quota_on_demand_rotations,
        regions=frozenset(settings.regions),
    )
