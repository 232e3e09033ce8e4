"""Who may read a bucket: by the identity policies of its account, and other accounts by its own policy."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from keystead import errors
from keystead.analysis.effective import Standing
from keystead.analysis.questions.granted import Access, access_granted
from keystead.analysis.space import Universe
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.document import parse
from keystead.policy.policyset import Policies
from keystead.policy.principal import account_of
from keystead.policy.request import PrincipalType

_TYPES: Final[tuple[PrincipalType, ...]] = ("user", "assumedRole", "federatedUser")


def readers_of(bucket: str, standings: Iterable[Standing]) -> frozenset[str]:
    """The ARNs of the users and roles whose policies allow to read some object of the bucket.

    What a bucket policy gives besides is not looked at. One of whom it is not decided counts.
    """
    resource = f"arn:aws:s3:::{bucket}/*"
    found = (
        one.principal.role_arn or one.principal.arn
        for one in standings
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


def accounts_let_in(policy: str, own: str) -> tuple[str, ...]:
    """The accounts other than `own` that a bucket policy lets in; none of a text that is no policy."""
    try:
        statements = parse(policy).statements if policy else ()
    except errors.MalformedPolicyDocument:
        return ()
    entries = {
        entry for one in statements if one.effect == "Allow" and one.principal is not None for entry in one.principal.aws
    }  # fmt: skip
    named = {account_of(entry) or _of_arn(entry) for entry in entries}
    return tuple(sorted(named - {"", own}))


def _of_arn(entry: str) -> str:
    parts = entry.split(":")
    return parts[4] if len(parts) > 4 else ""  # noqa: PLR2004  an ARN's account
