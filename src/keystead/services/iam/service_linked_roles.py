"""Roles that belong to a service: CreateServiceLinkedRole, DeleteServiceLinkedRole, and how a deletion stands.

Only the service changes them; here nothing uses them, so a deletion succeeds at once. Source: IAM User
Guide, "Create a service-linked role".
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import role_named
from keystead.identity import Role
from keystead.identity.names import ROLE, iam_arn, new_unique_id
from keystead.identity.role import SERVICE_LINKED_PATH
from keystead.services.iam.entities import existing_role
from keystead.services.iam.roles import add_role, remove_role, shown_role
from keystead.services.iam.targets import on_account, on_role
from keystead.wire.models import iam as wire

_PREFIX: Final = "AWSServiceRoleFor"
_TASK: Final = "service-linked-role-deletion"

SERVICE_NAMES: Final = {
    "access-analyzer.amazonaws.com": "AccessAnalyzer",
    "autoscaling.amazonaws.com": "AutoScaling",
    "backup.amazonaws.com": "Backup",
    "cks.kms.amazonaws.com": "KeyManagementServiceCustomKeyStores",
    "cloudtrail.amazonaws.com": "CloudTrail",
    "config.amazonaws.com": "Config",
    "dynamodb.application-autoscaling.amazonaws.com": "ApplicationAutoScaling_DynamoDBTable",
    "ecs.amazonaws.com": "ECS",
    "eks.amazonaws.com": "AmazonEKS",
    "elasticache.amazonaws.com": "ElastiCache",
    "elasticbeanstalk.amazonaws.com": "ElasticBeanstalk",
    "elasticfilesystem.amazonaws.com": "AmazonElasticFileSystem",
    "elasticloadbalancing.amazonaws.com": "ElasticLoadBalancing",
    "guardduty.amazonaws.com": "AmazonGuardDuty",
    "kafka.amazonaws.com": "Kafka",
    "macie.amazonaws.com": "AmazonMacie",
    "mrk.kms.amazonaws.com": "KeyManagementServiceMultiRegionKeys",
    "opensearchservice.amazonaws.com": "AmazonOpenSearchService",
    "organizations.amazonaws.com": "Organizations",
    "rds.amazonaws.com": "RDS",
    "redshift.amazonaws.com": "Redshift",
    "replicator.lambda.amazonaws.com": "LambdaReplicator",
    "rolesanywhere.amazonaws.com": "RolesAnywhere",
    "securityhub.amazonaws.com": "SecurityHub",
    "spot.amazonaws.com": "EC2Spot",
    "spotfleet.amazonaws.com": "EC2SpotFleet",
    "ssm.amazonaws.com": "AmazonSSM",
    "sso.amazonaws.com": "SSO",
    "support.amazonaws.com": "Support",
    "trustedadvisor.amazonaws.com": "TrustedAdvisor",
}
"""What follows `AWSServiceRoleFor` in the name of a service's role."""

_WITH_SUFFIX: Final = frozenset({"autoscaling.amazonaws.com"})
"""Services of which an account can have several roles."""


def _role_name(service: str, suffix: str | None) -> str:
    """The name of the service's role.

    Raises:
        errors.InvalidInput: the service has no such roles here, or takes no suffix.
    """
    name = SERVICE_NAMES.get(service)
    if name is None:
        raise errors.InvalidInput(f"Service linked roles are not supported for {service}.")
    if suffix is not None and service not in _WITH_SUFFIX:
        raise errors.InvalidInput(f"Custom suffix is not allowed for {service}")
    return f"{_PREFIX}{name}" + (f"_{suffix}" if suffix is not None else "")


def _create_targets(call: Call, request: wire.CreateServiceLinkedRoleRequest) -> tuple[Target, ...]:
    service = request.aws_service_name or ""
    name = SERVICE_NAMES.get(service, "")
    suffix = f"_{request.custom_suffix}" if request.custom_suffix else ""
    path = f"{SERVICE_LINKED_PATH}{service}/"
    resource = iam_arn(call.account, "role", path, f"{_PREFIX}{name}{suffix}")
    facts: dict[str, str | list[str]] = {"iam:AWSServiceName": service}
    return (Target("iam:CreateServiceLinkedRole", resource, call.account, facts=facts),)


@operation("CreateServiceLinkedRole", targets=_create_targets, changes=True)
def create_service_linked_role(
    call: Call, request: wire.CreateServiceLinkedRoleRequest, _role: Target
) -> wire.CreateServiceLinkedRoleResponse:
    """Make a role that only the named service can assume."""
    service = request.aws_service_name or ""
    name = _role_name(service, request.custom_suffix)
    if role_named(call.tx, call.account, name) is not None:
        raise errors.InvalidInput(
            f"Service role name {name} has been taken in this account, please try a different suffix."
        )
    role = Role(
        account=call.account,
        name=name,
        id=new_unique_id(ROLE, call.entropy),
        created=call.now,
        trust=_trust(service),
        path=f"{SERVICE_LINKED_PATH}{service}/",
        description=request.description or "",
        service_linked=service,
    )
    add_role(call, role)
    return wire.CreateServiceLinkedRoleResponse(role=shown_role(call, role))


def _trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# ---------------------------------------------------------------------------------- deletion


@operation("DeleteServiceLinkedRole", targets=on_role("DeleteServiceLinkedRole"), changes=True)
def delete_service_linked_role(
    call: Call, request: wire.DeleteServiceLinkedRoleRequest, _role: Target
) -> wire.DeleteServiceLinkedRoleResponse:
    """Delete a service's role, and return the task by which AWS's clients ask how far that is."""
    role = existing_role(call, request.role_name)
    if not role.service_linked:
        raise errors.InvalidInput(f"Role {role.name} is not a service-linked role.")
    remove_role(call, role)
    where = f"task{SERVICE_LINKED_PATH}{role.service_linked}/{role.name}/"
    sealed = call.keyring.seal_token(_TASK, call.event_id.encode(), f"{call.account}\0{where}")
    return wire.DeleteServiceLinkedRoleResponse(
        deletion_task_id=where + base64.urlsafe_b64encode(sealed).decode()
    )


@operation("GetServiceLinkedRoleDeletionStatus", targets=on_account("GetServiceLinkedRoleDeletionStatus"))
def get_deletion_status(
    call: Call, request: wire.GetServiceLinkedRoleDeletionStatusRequest, _account: Target
) -> wire.GetServiceLinkedRoleDeletionStatusResponse:
    """Return that a deletion succeeded: a task that was given out is through."""
    where, _, sealed = (request.deletion_task_id or "").rpartition("/")
    try:
        call.keyring.open_token(
            _TASK, base64.urlsafe_b64decode(sealed.encode("ascii")), f"{call.account}\0{where}/"
        )
    except (binascii.Error, ValueError, errors.DecryptionFailed):
        raise errors.NoSuchEntity(f"Task {request.deletion_task_id} cannot be found.") from None
    return wire.GetServiceLinkedRoleDeletionStatusResponse(status="SUCCEEDED")


OPERATIONS = (create_service_linked_role, delete_service_linked_role, get_deletion_status)
