"""The Organizations service: all its chapters put together."""

from __future__ import annotations

from keystead.api.service import service
from keystead.services.organizations import (
    accounts,
    attachments,
    creation,
    handshakes,
    organization,
    policies,
    tags,
    units,
)
from keystead.services.organizations.guard import guard_of
from keystead.services.organizations.refusals import check_input
from keystead.wire.models import organizations as wire

CHAPTERS = (accounts, attachments, creation, handshakes, organization, policies, tags, units)

ORGANIZATIONS = service(
    wire.SERVICE,
    (guard_of(operation) for chapter in CHAPTERS for operation in chapter.OPERATIONS),
    check_input,
)
