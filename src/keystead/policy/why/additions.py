"""An Allow added where one is missing: to the policies of each type."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import EVERYONE, Document, PrincipalElement, Statement
from keystead.policy.explain import PolicyType
from keystead.policy.policyset import Level, Policies
from keystead.policy.request import AuthorizationRequest
from keystead.policy.why.near import named
from keystead.policy.why.places import only


class Change(msgspec.Struct, frozen=True):
    """Something that would have to be different. `statement` is to be added, where one is."""

    policy_type: str
    text: str
    statement: dict[str, Any] | None = None


def is_fixed(request: AuthorizationRequest, policy_type: PolicyType) -> bool:
    """Whether nobody can change the policies of that type: AWS's keys have the policy that they have."""
    return policy_type == "resource" and request.description.key_manager == "AWS"


def added(
    request: AuthorizationRequest, policies: Policies, policy_type: PolicyType
) -> tuple[Change, Policies] | None:
    """An Allow added to the policies of the type that lacks one."""
    who = named(request.principal)
    if is_fixed(request, policy_type):
        return None
    plain = Statement(effect="Allow", actions=(request.action,), resources=(request.resource,))
    shown: dict[str, Any] = {"Effect": "Allow", "Action": request.action, "Resource": request.resource}
    if policy_type == "resource" and who:
        service = request.principal.type == "service"
        element = PrincipalElement(service=(who,)) if service else PrincipalElement(aws=(who,))
        naming = msgspec.structs.replace(plain, principal=element, resources=(EVERYONE,))
        shown = {"Effect": "Allow", "Principal": {"Service" if service else "AWS": who},
                 "Action": request.action, "Resource": EVERYONE}  # fmt: skip
        resource = _extended(policies.resource, naming)
        change = Change("resource", "add a statement to the policy of the resource", shown)
        return change, msgspec.structs.replace(policies, resource=resource)
    add = _ADDERS.get(policy_type)
    if add is None:
        return None
    where, extend = add
    return Change(policy_type, f"add a statement to {where} {who}".rstrip(), shown), extend(policies, plain)


def _extended(policy: CompiledPolicy | None, statement: Statement) -> CompiledPolicy:
    if policy is None:
        return compile_policy(Document(statements=(statement,)))
    document = only(policy, *policy.document.statements, statement)
    return compile_policy(document, policy.name, policy.bound)


def _to_identity(policies: Policies, statement: Statement) -> Policies:
    added = compile_policy(Document(statements=(statement,)))
    return msgspec.structs.replace(policies, identity=(*policies.identity, added))


def _to_boundary(policies: Policies, statement: Statement) -> Policies:
    return msgspec.structs.replace(policies, boundary=_extended(policies.boundary, statement))


def _to_session(policies: Policies, statement: Statement) -> Policies:
    added = compile_policy(Document(statements=(statement,)))
    return msgspec.structs.replace(policies, session=(*policies.session, added))


def _to_endpoint(policies: Policies, statement: Statement) -> Policies:
    everyone = msgspec.structs.replace(statement, principal=PrincipalElement(aws=(EVERYONE,)))
    added = compile_policy(Document(statements=(everyone,)))
    return msgspec.structs.replace(policies, vpc_endpoint=(*policies.vpc_endpoint, added))


def _to_levels(levels: tuple[Level, ...], statement: Statement) -> tuple[Level, ...]:
    added = compile_policy(Document(statements=(statement,)))
    return tuple(Level((*level.policies, added)) for level in levels)


def _to_scps(policies: Policies, statement: Statement) -> Policies:
    levels = _to_levels(policies.service_control, statement)
    return msgspec.structs.replace(policies, service_control=levels)


def _to_rcps(policies: Policies, statement: Statement) -> Policies:
    everyone = msgspec.structs.replace(statement, principal=PrincipalElement(aws=(EVERYONE,)))
    levels = _to_levels(policies.resource_control, everyone)
    return msgspec.structs.replace(policies, resource_control=levels)


_ADDERS: Final = {
    "identity": ("an identity policy of", _to_identity),
    "permissionsBoundary": ("the permissions boundary of", _to_boundary),
    "session": ("the session policy of", _to_session),
    "vpcEndpoint": ("the policy of the VPC endpoint, for", _to_endpoint),
    "scp": ("a service control policy on each level of the account of", _to_scps),
    # Only RetireGrant has a rule of the service that an identity policy can meet.
    "service": ("an identity policy of", _to_identity),
    "rcp": ("a resource control policy on each level of the resource's account for", _to_rcps),
}
