"""Condition keys that several operations share, from their parameters.

Source: AWS KMS Developer Guide, "AWS KMS condition keys"; absent parameters give absent keys.
"""

from __future__ import annotations

from collections.abc import Sequence

from keystead.wire.models import kms as wire

FactMap = dict[str, str | list[str]]


def bypass_fact(bypass: bool | None) -> FactMap:
    """kms:BypassPolicyLockoutSafetyCheck, if the parameter was given."""
    return {} if bypass is None else {"kms:BypassPolicyLockoutSafetyCheck": str(bypass).lower()}


def creation_tag_facts(tags: Sequence[wire.Tag] | None) -> FactMap:
    """The tag keys of a creation: the tags asked for are also those that the resource will have."""
    facts: FactMap = {}
    for tag in tags or ():
        facts[f"aws:RequestTag/{tag.tag_key}"] = tag.tag_value or ""
        facts[f"aws:ResourceTag/{tag.tag_key}"] = tag.tag_value or ""
    if tags:
        facts["aws:TagKeys"] = [tag.tag_key or "" for tag in tags]
    return facts
