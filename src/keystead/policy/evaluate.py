"""The decision: may this caller do this, now, to this resource?

Everything that can influence it is in the arguments. Sources: IAM User Guide, "Policy evaluation logic";
KMS Developer Guide, "Troubleshooting key access".
"""

from __future__ import annotations

from typing import Final

from keystead.policy import explain, grants
from keystead.policy.actions import find, is_kms
from keystead.policy.explain import DecidedBy, Decision, PolicyType
from keystead.policy.grants import RETIRE
from keystead.policy.guards import find_deny, first_allow, missing_guardrail
from keystead.policy.policyset import Policies, applicable
from keystead.policy.principal import ACCOUNT, DIRECT, THROUGH_ISSUER
from keystead.policy.request import AuthorizationRequest, Grant

_Ways = tuple[Decision | None, Decision | None, Decision | None]
"""What allows on the resource's side: directly, through role or issuing user, through the account."""

_ROOT: Final = Decision("allowed", DecidedBy("identity"))
"""The root user needs no identity policy; there is none to name."""
_WITHOUT_IDENTITY_POLICIES: Final = frozenset({"service", "webIdentity", "anonymous"})
_ALIAS_ACTIONS: Final = frozenset({"kms:createalias", "kms:updatealias", "kms:deletealias"})


def decide(request: AuthorizationRequest, policies: Policies) -> Decision:
    """The decision on one request.

    1. Policies that do not apply to this caller or resource are put aside.
    2. An explicit deny in any of the others ends it; nothing overrides it.
    3. Every level of RCPs, every level of SCPs and the VPC endpoint's policies must allow.
    4. Rules of the service: actions that never work across accounts, aliases of AWS, RetireGrant (which
       the grant decides, not the policies).
    5. The resource side: how the resource policy and the grants name the caller.
    6. The identity side, within boundary and session policy.
    7. Both are put together: for a service, within one account, or across two.
    """
    policies = applicable(request, policies)  # 1
    denied = find_deny(request, policies)  # 2
    if denied is not None:
        return _explicit(request, denied)
    missing = missing_guardrail(request, policies)  # 3
    if missing is None and _forbidden(request):  # 4
        missing = "service"
    return _implicit(request, missing) if missing is not None else _combined(request, policies)  # 4 to 7


def lets_in(request: AuthorizationRequest, policies: Policies) -> bool:
    """Whether the resource's side allows the request, whatever the caller's own side and denials say."""
    return any(_resource_side(request, policies))


# -------------------------------------------------------------- 4. rules of the service


def _forbidden(request: AuthorizationRequest) -> bool:
    """Whether no policy can ever allow the request."""
    account = request.principal.account
    if account != request.account and account and is_kms(request.action):
        row = find(request.action)
        if row is None or not row.cross_account:
            return True
    return ":alias/aws/" in request.resource and _is_alias_of_aws(request)


def _is_alias_of_aws(request: AuthorizationRequest) -> bool:
    """Names under `alias/aws/` are AWS's own (API reference, CreateAlias)."""
    parts = request.resource.split(":", 5)
    return request.action.lower() in _ALIAS_ACTIONS and parts[-1].startswith("alias/aws/")


def _decide_retiring(request: AuthorizationRequest, policies: Policies) -> Decision:
    """RetireGrant: the grant decides; identity policies can delegate it in the accounts concerned."""
    for grant in policies.grants:
        if not grants.counts(grant, request):
            continue
        if grants.may_retire(grant, request.principal):
            return _granted(grant)
        if grants.may_delegate_retiring(grant, request.principal, request.account):
            found = _identity_side(request, policies)
            if not isinstance(found, str):
                return found
    return _implicit(request, "service")


# ------------------------------------------------------------------- 5. resource side


def _resource_side(request: AuthorizationRequest, policies: Policies) -> _Ways:
    """The Allow statements and grants that name the caller; a direct one ends the search."""
    through_issuer, account = None, None
    if policies.resource is not None:
        for statement in policies.resource.for_action(request.action).allows:
            named = statement.name(request.principal)
            if named and statement.applies(request):
                allowed = statement.allowed["resource"]
                if named & DIRECT:
                    return allowed, None, None
                if named & THROUGH_ISSUER:
                    through_issuer = allowed
                if named & ACCOUNT:
                    account = allowed
    for grant in policies.grants:
        named = grants.permits(grant, request)
        if named & DIRECT:
            return _granted(grant), None, None
        if named & ACCOUNT:
            account = _granted(grant)
    return None, through_issuer, account


def _granted(grant: Grant) -> Decision:
    return Decision("allowed", DecidedBy("grant", grant_id=grant.grant_id))


def _direct_grant(request: AuthorizationRequest, policies: Policies) -> Decision | None:
    """What a grant to the caller itself decides."""
    for grant in policies.grants:
        if grants.permits(grant, request) & DIRECT:
            return _granted(grant)
    return None


# ------------------------------------------------------------------- 6. identity side


def _identity_side(request: AuthorizationRequest, policies: Policies) -> Decision | PolicyType:
    """What allows on the caller's side, or the type of policy in which an Allow is missing."""
    allowing = _identity_allow(request, policies)
    if allowing is None:
        return "identity"
    return _limit(request, policies) or allowing


def _identity_allow(request: AuthorizationRequest, policies: Policies) -> Decision | None:
    """The identity or group policy's Allow; the root user needs none."""
    for policy in policies.identity:
        statement = first_allow(request, policy)
        if statement is not None:
            return statement.allowed["identity"]
    for policy in policies.group:
        statement = first_allow(request, policy)
        if statement is not None:
            return statement.allowed["group"]
    return _ROOT if request.principal.type == "root" else None


def _limit(request: AuthorizationRequest, policies: Policies) -> PolicyType | None:
    """The type of limit that lacks an Allow: the boundary or the session policy.

    A federated user's session without session policies counts as one whose policy allows nothing (IAM
    User Guide, "Permissions for GetFederationToken").
    """
    if policies.boundary is not None and first_allow(request, policies.boundary) is None:
        return "permissionsBoundary"
    if policies.session:
        allows = any(first_allow(request, policy) is not None for policy in policies.session)
    else:
        allows = request.principal.type != "federatedUser"
    return None if allows else "session"


# ------------------------------------------------------------------------- 7. together


def _combined(request: AuthorizationRequest, policies: Policies) -> Decision:
    """The decision of grants and policies where neither a deny nor a guardrail nor a fixed rule decides."""
    caller = request.principal
    if request.action.lower() == RETIRE:
        return _decide_retiring(request, policies)
    if caller.type in _WITHOUT_IDENTITY_POLICIES:
        return _decide_service(request, policies)
    if caller.account == request.account:
        return _decide_same_account(request, policies)
    return _decide_cross_account(request, policies)


def _decide_service(request: AuthorizationRequest, policies: Policies) -> Decision:
    """For a service principal, a web identity or nobody: the resource side must name it."""
    direct, _, _ = _resource_side(request, policies)
    return direct or _implicit(request, "resource")


def _decide_same_account(request: AuthorizationRequest, policies: Policies) -> Decision:
    """Within one account, in this order.

    a. A direct Allow, which no implicit deny limits.
    b. An Allow through the role or the issuing user, within boundary and session policy.
    c. The identity side; for trust `keyPolicy` only if the resource policy delegates to the account.
    """
    direct, through_issuer, account = _resource_side(request, policies)
    if direct is not None:  # a
        return direct
    if through_issuer is not None:  # b
        limit = _limit(request, policies)
        return through_issuer if limit is None else _implicit(request, limit)
    if account is None and request.description.trust == "keyPolicy":  # c
        return _implicit(request, "resource")
    found = _identity_side(request, policies)
    return _implicit(request, found) if isinstance(found, str) else found


def _decide_cross_account(request: AuthorizationRequest, policies: Policies) -> Decision:
    """Across accounts: a grant to the caller alone, or both sides.

    The caller's own side comes first: were the resource side reported first, its absence from a message
    would tell the caller that the other account lets it in.
    """
    grant = _direct_grant(request, policies)
    if grant is not None:
        return grant
    found = _identity_side(request, policies)
    if isinstance(found, str):
        return _implicit(request, found)
    direct, through_issuer, account = _resource_side(request, policies)
    return direct or through_issuer or account or _implicit(request, "resource")


# --------------------------------------------------------------------------- decisions


def _implicit(request: AuthorizationRequest, policy_type: PolicyType) -> Decision:
    return Decision("implicitDeny", DecidedBy(policy_type), explain.implicit_deny(request, policy_type))


def _explicit(request: AuthorizationRequest, by: DecidedBy) -> Decision:
    return Decision("explicitDeny", by, explain.explicit_deny(request, by.policy_type))
