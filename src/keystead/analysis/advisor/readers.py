"""Who may read a bucket, by the identity policies of its account."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from keystead import errors
from keystead.analysis.account import standings
from keystead.analysis.questions.granted import Access, access_granted
from keystead.analysis.space import Universe
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.policyset import Policies
from keystead.policy.request import PrincipalType

_TYPES: Final[tuple[PrincipalType, ...]] = ("user", "assumedRole", "federatedUser")


def readers_of(bucket: str, details: Mapping[str, Any]) -> frozenset[str]:
    """The ARNs of the users and roles whose policies allow to read some object of the bucket.

    What a bucket policy gives besides is not looked at. One of whom it is not decided counts.
    """
    resource = f"arn:aws:s3:::{bucket}/*"
    found = (
        one.principal.role_arn or one.principal.arn
        for one in standings(details)
        if not one.principal.service_linked_role and _reads(one.policies, resource)
    )
    return frozenset(found)


def _reads(policies: Policies, resource: str) -> bool:
    limits = () if policies.boundary is None else (policies.boundary,)
    allowing = any(_grants(policy, resource) for policy in (*policies.identity, *policies.group))
    return allowing and all(_grants(policy, resource) for policy in limits)


@lru_cache(4096)
def _grants(policy: CompiledPolicy, resource: str) -> bool:
    asked = [Access(("s3:GetObject",), (resource,))]
    try:
        return bool(access_granted(policy, asked, Universe(types=_TYPES), naming=False))
    except errors.Undecided:
        return True
