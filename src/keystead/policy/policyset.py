"""The policies of one decision, and which of them apply to it."""

from __future__ import annotations

import msgspec

from keystead.policy.compiled import CompiledPolicy
from keystead.policy.grants import RETIRE
from keystead.policy.request import AuthorizationRequest, Grant


class Level(msgspec.Struct, frozen=True, gc=False):
    """The SCPs or RCPs attached to one node; without policies it allows nothing."""

    policies: tuple[CompiledPolicy, ...] = ()


class Policies(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All policies that may have a say.

    `service_control` belongs to the caller's account, `resource_control` to the resource's; both go from
    the organization's root to the account, and are empty where there is no organization.
    """

    resource: CompiledPolicy | None = None
    identity: tuple[CompiledPolicy, ...] = ()
    group: tuple[CompiledPolicy, ...] = ()
    boundary: CompiledPolicy | None = None
    session: tuple[CompiledPolicy, ...] = ()
    service_control: tuple[Level, ...] = ()
    resource_control: tuple[Level, ...] = ()
    vpc_endpoint: tuple[CompiledPolicy, ...] = ()
    grants: tuple[Grant, ...] = ()

    @property
    def of_caller(self) -> tuple[CompiledPolicy, ...]:
        """Every policy on the caller's side."""
        boundary = () if self.boundary is None else (self.boundary,)
        levels = (policy for level in self.service_control for policy in level.policies)
        return (*self.identity, *self.group, *boundary, *self.session, *levels)


def applicable(request: AuthorizationRequest, policies: Policies) -> Policies:
    """The policies without those that this caller or resource is exempt from."""
    caller = request.principal
    if caller.type == "service":
        policies = msgspec.structs.replace(
            policies, identity=(), group=(), boundary=None, session=(), service_control=()
        )
    elif caller.type == "root" and (policies.boundary is not None or policies.session):
        policies = msgspec.structs.replace(policies, boundary=None, session=())
    if policies.service_control and (caller.management_account or caller.service_linked_role):
        policies = msgspec.structs.replace(policies, service_control=())
    if policies.resource_control and _exempt_from_rcps(request):
        policies = msgspec.structs.replace(policies, resource_control=())
    return policies


def _exempt_from_rcps(request: AuthorizationRequest) -> bool:
    """IAM User Guide, "Resource control policies": what RCPs do not affect."""
    target = request.description
    return (
        target.management_account
        or target.key_manager == "AWS"
        or request.principal.service_linked_role
        or request.action.lower() == RETIRE
    )
