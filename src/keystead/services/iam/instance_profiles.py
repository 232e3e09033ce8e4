"""Instance profiles, of which there are none: no virtual machines run here.

The lists are answered, since tools ask for a role's profiles before they delete it. Everything else
about instance profiles is refused as not supported.
"""

from __future__ import annotations

from keystead.api import Call, Target, operation
from keystead.services.iam.entities import existing_role
from keystead.services.iam.targets import on_listing, on_role
from keystead.wire.models import iam as wire


@operation("ListInstanceProfilesForRole", targets=on_role("ListInstanceProfilesForRole"))
def list_instance_profiles_for_role(
    call: Call, request: wire.ListInstanceProfilesForRoleRequest, _role: Target
) -> wire.ListInstanceProfilesForRoleResponse:
    """Return an empty list for a role that exists."""
    existing_role(call, request.role_name)
    return wire.ListInstanceProfilesForRoleResponse(instance_profiles=[], is_truncated=False)


@operation("ListInstanceProfiles", targets=on_listing("ListInstanceProfiles", "instance-profile"))
def list_instance_profiles(
    _call: Call, _request: wire.ListInstanceProfilesRequest, _profiles: Target
) -> wire.ListInstanceProfilesResponse:
    """Return an empty list."""
    return wire.ListInstanceProfilesResponse(instance_profiles=[], is_truncated=False)


OPERATIONS = (list_instance_profiles_for_role, list_instance_profiles)
