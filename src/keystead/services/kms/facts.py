"""Condition keys that several operations share, from their parameters.

Source: AWS KMS Developer Guide, "AWS KMS condition keys"; absent parameters give absent keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from keystead.api import Target
from keystead.wire.models import kms as wire

FactMap = dict[str, str | list[str]]


def bypass_fact(bypass: bool | None) -> FactMap:
    """kms:BypassPolicyLockoutSafetyCheck, if the parameter was given."""
    return {} if bypass is None else {"kms:BypassPolicyLockoutSafetyCheck": str(bypass).lower()}


def new_key_facts(spec: str, usage: str, origin: str, multi_region: str | None) -> FactMap:
    """What the key that is asked for will be; `multi_region` is its part among related keys, None if it has none."""
    facts: FactMap = {"kms:KeyOrigin": origin, "kms:MultiRegion": "false" if multi_region is None else "true"}
    # The old names always carry the same values (AWS KMS Developer Guide, "kms:CustomerMasterKeySpec").
    facts |= dict.fromkeys(("kms:KeySpec", "kms:CustomerMasterKeySpec"), spec)
    facts |= dict.fromkeys(("kms:KeyUsage", "kms:CustomerMasterKeyUsage"), usage)
    if multi_region is not None:
        facts["kms:MultiRegionKeyType"] = multi_region
    return facts


def tag_facts(pairs: Iterable[tuple[str, str]]) -> FactMap:
    """The tags that a request asks to set."""
    given = list(pairs)
    facts: FactMap = {f"aws:RequestTag/{key}": value for key, value in given}
    if given:
        facts["aws:TagKeys"] = [key for key, _ in given]
    return facts


def creation_tag_facts(tags: Sequence[wire.Tag] | None) -> FactMap:
    """The tag keys of a creation: the tags asked for are also those that the resource will have."""
    pairs = tag_pairs(tags)
    return {**tag_facts(pairs), **{f"aws:ResourceTag/{key}": value for key, value in pairs}}


def tag_pairs(tags: Sequence[wire.Tag] | None) -> list[tuple[str, str]]:
    """The tags of a request, which may name one twice."""
    return [(tag.tag_key or "", tag.tag_value or "") for tag in tags or ()]


def tagging_at_creation(account: str, tags: Sequence[wire.Tag], facts: FactMap | None = None) -> Target:
    """The permission that a creation with tags takes besides, on no key yet: it sees the tags, and `facts`."""
    told = {**tag_facts(tag_pairs(tags)), **(facts or {})}
    return Target("kms:TagResource", "*", account, facts=told)
