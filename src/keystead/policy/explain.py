"""What a decision says: who decided, and the text of AccessDeniedException.

Texts: IAM User Guide, "Troubleshoot access denied error messages", and answers of AWS KMS seen in public.
Nothing about another account's KMS key is disclosed: that it is missing, that its policy does not allow and
that its policy denies are one text.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from keystead.policy.request import AuthorizationRequest

Outcome = Literal["allowed", "implicitDeny", "explicitDeny"]
PolicyType = Literal[
    "identity",
    "group",
    "permissionsBoundary",
    "session",
    "resource",
    "scp",
    "rcp",
    "vpcEndpoint",
    "grant",
    "service",
    "none",
]


class DecidedBy(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The statement, grant or rule that decided; for an implicit deny only where an Allow was missing."""

    policy_type: PolicyType
    policy: str | None = None
    statement: int | None = None
    sid: str | None = None
    grant_id: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """The answer to one authorization request; `message` is None when it is allowed."""

    effect: Outcome
    decided_by: DecidedBy
    message: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
        return self.effect == "allowed"


_KINDS: Final[dict[PolicyType, str]] = {
    "identity": "identity-based policy",
    "group": "identity-based policy",
    "permissionsBoundary": "permissions boundary",
    "session": "session policy",
    "resource": "resource-based policy",
    "grant": "resource-based policy",
    "scp": "service control policy",
    "rcp": "resource control policy",
    "vpcEndpoint": "VPC endpoint policy",
    "service": "identity-based policy",
    "none": "identity-based policy",
}
_HIDDEN_REASON: Final = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)
_OF_ROLES: Final = frozenset({"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"})
"""What a trust policy allows; AWS STS says no more than that it is not, so that nobody learns which roles there are."""
TELLING: Final = frozenset({"resource", "grant", "service"})
"""Policy types whose naming would tell something about another account's key."""


def explicit_deny(request: AuthorizationRequest, policy_type: PolicyType) -> str:
    """The text for a request that a Deny statement refuses."""
    kind = _KINDS[policy_type]
    article = "an" if kind[0] in "aeiou" else "a"
    return _denied(request, policy_type, f"with an explicit deny in {article} {kind}")


def implicit_deny(request: AuthorizationRequest, policy_type: PolicyType) -> str:
    """The text for a request that lacks an Allow in policies of this type."""
    return _denied(
        request, policy_type, f"because no {_KINDS[policy_type]} allows the {request.action} action"
    )


def _is_near(request: AuthorizationRequest) -> bool:
    """Whether the caller is of the resource's account or organization: others are not told why Amazon S3 denies.

    Source: Amazon S3 User Guide, "Troubleshoot access denied (403 Forbidden) errors".
    """
    principal, org = request.principal, request.description.org_id
    return principal.account == request.account or (bool(org) and principal.org_id == org)


def _denied(request: AuthorizationRequest, policy_type: PolicyType, reason: str) -> str:
    principal = request.principal
    if principal.type == "webIdentity":  # it is not told who it is, nor what there is
        return f"Not authorized to perform {request.action}"
    if request.action[:3].lower() == "s3:" and not _is_near(request):
        return "Access Denied"
    caller = f"User: {principal.arn or principal.service} is not authorized to perform: {request.action}"
    foreign = bool(principal.account) and principal.account != request.account
    hiding = foreign and request.action[:4].lower() == "kms:"
    if hiding and policy_type in TELLING:
        where = (
            "on the resource associated with this ciphertext"
            if request.from_ciphertext
            else "on this resource"
        )
        return f"{caller} {where} {_HIDDEN_REASON}"
    if hiding and request.from_ciphertext:
        return f"{caller} on the resource associated with this ciphertext {reason}"
    if policy_type == "resource" and request.action in _OF_ROLES:
        return f"{caller} on resource: {request.resource}"
    return f"{caller} on resource: {request.resource} {reason}"
