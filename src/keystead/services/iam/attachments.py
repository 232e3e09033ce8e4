"""Managed policies of a user, group or role: Attach, Detach and ListAttached for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.operation import Operation
from keystead.services.iam.entities import put
from keystead.services.iam.holders import HOLDERS, Holder
from keystead.services.iam.managed import hold_policy
from keystead.services.iam.paging import page_list
from keystead.services.iam.quotas import ATTACHED_POLICIES, check_quota
from keystead.services.iam.shown import shown_attached
from keystead.services.iam.targets import policy_account, policy_arn
from keystead.wire.models import iam as wire


def _operations(holder: Holder) -> Iterator[Operation]:
    """The three operations of one kind of identity."""
    attach, detach, listed = (
        f"Attach{holder.noun}Policy",
        f"Detach{holder.noun}Policy",
        f"ListAttached{holder.noun}Policies",
    )
    yield operation(attach, targets=holder.on(attach, policy_arn), changes=True)(_attaching(holder))
    yield operation(detach, targets=holder.on(detach, policy_arn), changes=True)(_detaching(holder))
    yield operation(listed, targets=holder.on(listed, None))(_listing(holder))


def _attaching(holder: Holder) -> Any:
    def attach(call: Call, request: Any, _identity: Target) -> None:
        """Attach a policy to an identity; one that is attached already is no error."""
        identity = holder.change(call, holder.name(request))
        policy_account(request.policy_arn)
        if not hold_policy(call, request.policy_arn):
            raise errors.NoSuchEntity(f"Policy {request.policy_arn} does not exist or is not attachable.")
        if request.policy_arn in identity.attached:
            return
        check_quota((f"PoliciesPer{holder.noun}", ATTACHED_POLICIES), len(identity.attached))
        put(call, msgspec.structs.replace(identity, attached=(*identity.attached, request.policy_arn)))

    return attach


def _detaching(holder: Holder) -> Any:
    def detach(call: Call, request: Any, _identity: Target) -> None:
        """Detach a policy from an identity."""
        identity = holder.change(call, holder.name(request))
        if request.policy_arn not in identity.attached:
            raise errors.NoSuchEntity(f"Policy {request.policy_arn} was not found.")
        left = tuple(each for each in identity.attached if each != request.policy_arn)
        put(call, msgspec.structs.replace(identity, attached=left))

    return detach


def _listing(holder: Holder) -> Any:
    answer: Any = getattr(wire, f"ListAttached{holder.noun}PoliciesResponse")

    def list_attached(call: Call, request: Any, _identity: Target) -> Any:
        """Return a page of the policies attached to an identity."""
        identity = holder.find(call, holder.name(request))
        prefix = f":policy{request.path_prefix or '/'}"
        below = [each for each in identity.attached if prefix in each]
        found, marker = page_list(call, request, below, identity.id)
        return answer(attached_policies=shown_attached(found), is_truncated=marker is not None, marker=marker)

    return list_attached


OPERATIONS = tuple(op for holder in HOLDERS for op in _operations(holder))
