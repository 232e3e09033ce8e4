"""The IAM service: all its chapters put together."""

from __future__ import annotations

from keystead.api.service import service
from keystead.services.iam import (
    absent,
    access_keys,
    account,
    attachments,
    authorization_details,
    boundaries,
    context_keys,
    credential_report,
    groups,
    inline_policies,
    instance_profiles,
    mfa,
    oidc,
    policies,
    policy_versions,
    roles,
    service_linked_roles,
    simulate,
    tags,
    users,
)
from keystead.services.iam.guard import guard_of
from keystead.wire.models import iam as wire

CHAPTERS = (
    absent,
    access_keys,
    account,
    attachments,
    authorization_details,
    boundaries,
    context_keys,
    credential_report,
    groups,
    inline_policies,
    instance_profiles,
    mfa,
    oidc,
    policies,
    policy_versions,
    roles,
    service_linked_roles,
    simulate,
    tags,
    users,
)

IAM = service(wire.SERVICE, (guard_of(operation) for chapter in CHAPTERS for operation in chapter.OPERATIONS))
