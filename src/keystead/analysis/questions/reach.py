"""What a stolen identity reaches: the roles that it can take on, one after the other, and what each may do with keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from keystead.analysis.budget import Budget
from keystead.analysis.condition_keys import of_caller
from keystead.analysis.effective import Standing
from keystead.analysis.questions.granted import Access, access_granted
from keystead.analysis.space import Universe
from keystead.arn import account_in
from keystead.errors import Undecided
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.evaluate import decide
from keystead.policy.request import AuthorizationRequest, Principal, ResourceDescription, Value

ASSUME: Final = "sts:AssumeRole"
GIVING: Final = (
    "iam:PutUserPolicy", "iam:AttachUserPolicy", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutGroupPolicy",
    "iam:AttachGroupPolicy", "iam:AddUserToGroup", "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy", "iam:DeleteRolePermissionsBoundary", "iam:DeleteUserPermissionsBoundary",
)  # fmt: skip
"""With these an identity can give itself, or a role that it takes on, more than it has."""


class AssumableRole(msgspec.Struct, frozen=True):
    """A role, with its trust policy and what a session of it may do."""

    arn: str
    trust: CompiledPolicy
    standing: Standing


class Reached(msgspec.Struct, frozen=True):
    """One whom the stolen identity is, or can become: by which roles, and by which requests, each confirmed."""

    standing: Standing
    path: tuple[str, ...] = ()
    witnesses: tuple[AuthorizationRequest, ...] = ()


def reached(start: Standing, roles: Sequence[AssumableRole]) -> Iterator[Reached]:
    """The identity itself, and each role that it can take on, by the shortest way."""
    waiting, known = [Reached(start)], {_name(start.principal)}
    while waiting:
        one = waiting.pop(0)
        yield one
        for role in roles:
            if role.arn not in known and (witness := _assuming(one.standing, role)) is not None:
                known.add(role.arn)
                waiting.append(Reached(role.standing, (*one.path, role.arn), (*one.witnesses, witness)))


def gives_itself(standing: Standing) -> tuple[str, ...]:
    """What it may do in IAM, on anything, by which it could have more."""
    caller = standing.principal
    requests = (
        AuthorizationRequest(
            principal=caller,
            action=action,
            resource=_target(action, caller),
            account=caller.account,
            context=of_caller(caller),
        )
        for action in GIVING
    )
    return tuple(one.action for one in requests if decide(one, standing.policies).allowed)


def _target(action: str, caller: Principal) -> str:
    """Something of the account that the action can be about; itself where that is possible."""
    kind = action.removeprefix("iam:")
    own = caller.role_arn or caller.arn
    if "Group" in kind:
        return f"arn:aws:iam::{caller.account}:group/any"
    return f"arn:aws:iam::{caller.account}:policy/any" if "Version" in kind else own


def _name(caller: Principal) -> str:
    return caller.role_arn or caller.arn


def _assuming(standing: Standing, role: AssumableRole) -> AuthorizationRequest | None:
    """A request to take on the role that is allowed, whatever its conditions ask; None if none is known."""
    caller = standing.principal
    if caller.type == "root":
        return None  # AWS STS API Reference, AssumeRole: root users cannot
    trusted = _witnesses(role.trust, role.arn, caller, naming=True)
    own = {
        key: value
        for policy in (*standing.policies.identity, *standing.policies.group)
        for one in _witnesses(policy, role.arn, caller, naming=False)
        for key, value in _context(one).items()
    }
    policies = msgspec.structs.replace(standing.policies, resource=role.trust)
    for one in trusted:
        for context in (_context(one), {**own, **_context(one)}):
            request = _request(caller, role.arn, context)
            if decide(request, policies).allowed:
                return request
    return None


def _context(request: AuthorizationRequest) -> dict[str, Value]:
    return dict(request.context) if isinstance(request.context, dict) else {}


def _request(caller: Principal, role: str, context: dict[str, Value]) -> AuthorizationRequest:
    return AuthorizationRequest(
        principal=caller,
        action=ASSUME,
        resource=role,
        account=account_in(role),
        context={**context, **of_caller(caller)},
        description=ResourceDescription(trust="keyPolicy"),
    )


def _witnesses(
    policy: CompiledPolicy, role: str, caller: Principal, *, naming: bool
) -> Iterator[AuthorizationRequest]:
    """Requests for the role that the policy by itself lets in; none where it is too complex."""
    resource = None if naming else role  # a trust policy names no resource
    universe = Universe(callers=(caller,), resource=resource)
    wanted = Access(actions=(ASSUME,), resources=() if naming else (role,))
    try:
        found = access_granted(policy, [wanted], universe, naming=naming, budget=Budget())
    except Undecided:
        return
    yield from (one.witness for one in found)
