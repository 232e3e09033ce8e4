"""AssumeRoleWithWebIdentity: the session of a role, for whom an OpenID Connect provider vouches.

The request is not signed: the token in it says who calls, once it is verified. Source: AWS STS API Reference,
AssumeRoleWithWebIdentity; IAM User Guide, "Available keys for AWS OIDC federation".
"""

from __future__ import annotations

from typing import Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.unsigned import Identified, Unsigned
from keystead.identity import Caller
from keystead.identity.caller import WEB_IDENTITY
from keystead.policy import Principal
from keystead.services.sts.assume_role import assumed_role_user, duration, role_session
from keystead.services.sts.issue import credentials
from keystead.services.sts.session_terms import terms_of
from keystead.services.sts.tokens import WebIdentity, verified
from keystead.services.sts.trust import (
    SET_SOURCE_IDENTITY,
    TAG_SESSION,
    FactValues,
    account_of_role,
    existing_role,
    role_targets,
    tag_facts,
)
from keystead.wire.models import sts as wire

_ASSUME: Final = "sts:AssumeRoleWithWebIdentity"


def _identify(unsigned: Unsigned, request: wire.AssumeRoleWithWebIdentityRequest) -> Identified:
    """The web identity that the token proves."""
    if request.provider_id is not None:
        raise errors.Validation(
            "ProviderId is for OAuth 2.0 access tokens, which are not supported by this server."
        )
    account = account_of_role(request.role_arn or "")
    identity = verified(unsigned, account, request.web_identity_token or "")
    provider = identity.provider.arn
    caller = Caller(
        kind=WEB_IDENTITY,
        arn="",
        account=account,
        principal_id=f"{provider}:{identity.audience}:{identity.subject}",
        access_key_id="",
        name=identity.subject,
        provider=provider,
    )
    return Identified(caller, Principal(type="webIdentity", provider=provider), identity)


def _on_role(call: Call, request: wire.AssumeRoleWithWebIdentityRequest) -> tuple[Target, ...]:
    """The role, for each permission that the token takes."""
    identity: WebIdentity = call.proof
    facts: FactValues = {
        "sts:RoleSessionName": request.role_session_name or "",
        "aws:FederatedProvider": identity.provider.arn,
        **_claims(identity),
        **tag_facts(identity.tags.tags, identity.tags.transitive),
    }
    if identity.methods:
        facts[f"{identity.provider.url}:amr"] = list(identity.methods)
    actions = [_ASSUME]
    if identity.tags.tags:
        actions.append(TAG_SESSION)
    if identity.source_identity:
        actions.append(SET_SOURCE_IDENTITY)
        facts["sts:SourceIdentity"] = identity.source_identity
    return role_targets(call, request.role_arn or "", tuple(actions), facts)


def _claims(identity: WebIdentity) -> dict[str, str]:
    """The claims that conditions can ask of, named after the provider."""
    url = identity.provider.url
    return {f"{url}:aud": identity.audience, f"{url}:sub": identity.subject}


@operation("AssumeRoleWithWebIdentity", targets=_on_role, identify=_identify)
def assume_role_with_web_identity(
    call: Call, request: wire.AssumeRoleWithWebIdentityRequest, *_targets: Target
) -> wire.AssumeRoleWithWebIdentityResponse:
    """Return temporary credentials that have the role's permissions."""
    identity: WebIdentity = call.proof
    role = existing_role(call, request.role_arn or "")
    terms = terms_of(call, request, role.account, identity.tags)
    session = role_session(
        call,
        role,
        duration(role, request.duration_seconds),
        terms,
        name=request.role_session_name or "",
        source_identity=identity.source_identity,
        provider=identity.provider.arn,
        subject=identity.subject,
        facts={name.lower(): value for name, value in _claims(identity).items()},
    )
    return wire.AssumeRoleWithWebIdentityResponse(
        credentials=credentials(call, session),
        subject_from_web_identity_token=identity.subject,
        assumed_role_user=assumed_role_user(role, session),
        packed_policy_size=terms.packed,
        provider=identity.provider.arn,
        audience=identity.audience,
        source_identity=session.source_identity or None,
    )


OPERATIONS = (assume_role_with_web_identity,)
