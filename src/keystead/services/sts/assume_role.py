"""AssumeRole: the session of a role, for those whom its trust policy names.

Sources: AWS STS API Reference, AssumeRole; IAM User Guide, "Role chaining", "Monitor and control actions taken
with assumed roles" and "Secure API access with MFA".
"""

from __future__ import annotations

from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.identity import Role, Session
from keystead.identity.caller import ROOT
from keystead.identity.names import session_arn
from keystead.identity.session import ROLE_SESSION
from keystead.services.sts.certificate import Workload, identify, workload_targets
from keystead.services.sts.issue import credentials, new_session
from keystead.services.sts.restrictions import refuse_session, second_factor
from keystead.services.sts.session_terms import (
    Tags,
    Terms,
    asked_tags,
    inherited_tags,
    session_tags,
    terms_of,
)
from keystead.services.sts.trust import (
    SET_SOURCE_IDENTITY,
    TAG_SESSION,
    FactValues,
    existing_role,
    role_targets,
    tag_facts,
)
from keystead.wire.models import sts as wire

_ASSUME: Final = "sts:AssumeRole"
_USUAL: Final = 3600
"""Seconds that a session lasts if the request does not say."""
_LONGEST_CHAINED: Final = 3600
_RESERVED: Final = "aws:"


def _on_role(call: Call, request: wire.AssumeRoleRequest) -> tuple[Target, ...]:
    """The role, for each permission that the request takes."""
    if call.proof is not None:
        return workload_targets(call, request, call.proof)
    if call.caller.kind == ROOT:
        raise errors.AccessDenied("Roles may not be assumed by root accounts.")
    refuse_session(call)
    if request.provided_contexts:
        raise errors.Validation("ProvidedContexts is not supported by this server.")
    identity = source_identity(call, request.source_identity)
    tags = asked_tags(request)
    facts: FactValues = {
        "sts:RoleSessionName": request.role_session_name or "",
        **tag_facts(tags, request.transitive_tag_keys),
    }
    if request.external_id is not None:
        facts["sts:ExternalId"] = request.external_id
    if identity:
        facts["sts:SourceIdentity"] = identity
    if second_factor(call, request):
        facts["aws:MultiFactorAuthPresent"] = "true"
        facts["aws:MultiFactorAuthAge"] = "0"
    actions = [_ASSUME]
    if tags or inherited_tags(call):
        actions.append(TAG_SESSION)
    if identity:
        actions.append(SET_SOURCE_IDENTITY)
    return role_targets(call, request.role_arn or "", tuple(actions), facts)


def source_identity(call: Call, asked: str | None) -> str:
    """The source identity that the new session has: once set, it stays along a chain of roles.

    Raises:
        errors.Validation: it begins with `aws:`.
        errors.AccessDenied: the caller's session has another one.
    """
    if asked is not None and asked.lower().startswith(_RESERVED):
        raise errors.Validation("SourceIdentity must not begin with aws:.")
    session = call.caller.session
    held = session.source_identity if session is not None else ""
    if asked is not None and held and asked != held:
        raise errors.AccessDenied(
            "The source identity of the calling session cannot be changed by assuming a role."
        )
    return held or asked or ""


@operation("AssumeRole", targets=_on_role, certified=identify)
def assume_role(call: Call, request: wire.AssumeRoleRequest, *_targets: Target) -> wire.AssumeRoleResponse:
    """Return temporary credentials that have the role's permissions."""
    role = existing_role(call, request.role_arn or "")
    chained = call.caller.session is not None and call.caller.session.kind == ROLE_SESSION
    tags, identity = _proved(call.proof) if call.proof is not None else _asked(call, request)
    terms = terms_of(call, request, role.account, tags)
    session = role_session(
        call,
        role,
        duration(role, request.duration_seconds, chained=chained),
        terms,
        name=request.role_session_name or "",
        source_identity=identity,
        chained=chained,
    )
    return wire.AssumeRoleResponse(
        credentials=credentials(call, session),
        assumed_role_user=assumed_role_user(role, session),
        packed_policy_size=terms.packed,
        source_identity=session.source_identity or None,
    )


def _asked(call: Call, request: wire.AssumeRoleRequest) -> tuple[Tags, str]:
    """The session's tags and source identity, as a signed request asks for them and the caller hands them on."""
    tags = session_tags(asked_tags(request), request.transitive_tag_keys or (), inherited_tags(call))
    return tags, source_identity(call, request.source_identity)


def _proved(workload: Workload) -> tuple[Tags, str]:
    """The session's tags and source identity, as a client certificate says them."""
    return workload.tags, workload.source_identity


def duration(role: Role, asked: int | None, *, chained: bool = False) -> int:
    """How long the session lasts, in seconds.

    Raises:
        errors.Validation: longer than the role, or role chaining, allows.
    """
    seconds = _USUAL if asked is None else asked
    if chained and seconds > _LONGEST_CHAINED:
        raise errors.Validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if seconds > role.max_session:
        raise errors.Validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return seconds


def role_session(call: Call, role: Role, seconds: int, terms: Terms, **members: Any) -> Session:
    """A session of the role; `members` are further fields of `Session`.

    That a second factor was proved is for the trust policy alone: the session does not carry it (IAM User
    Guide, "Secure API access with MFA").
    """
    return new_session(
        call,
        seconds,
        account=role.account,
        kind=ROLE_SESSION,
        principal=role.id,
        tags=terms.tags,
        transitive=terms.transitive,
        policies=terms.policies,
        policy_arns=terms.policy_arns,
        **members,
    )


def assumed_role_user(role: Role, session: Session) -> wire.AssumedRoleUser:
    """How the session is named: by unique id, and by the ARN that policies see."""
    return wire.AssumedRoleUser(
        assumed_role_id=f"{role.id}:{session.name}", arn=session_arn(role.account, role.name, session.name)
    )


OPERATIONS = (assume_role,)
