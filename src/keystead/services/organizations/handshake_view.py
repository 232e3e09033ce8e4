"""What an invitation looks like, and for how long it is open and shown."""

from __future__ import annotations

from keystead.api import Call
from keystead.api.directory import ACCOUNTS, ORGANIZATIONS
from keystead.identity.organization import Handshake
from keystead.services.organizations import limits
from keystead.services.organizations.arns import handshake_arn
from keystead.wire.models import organizations as wire


def state_of(handshake: Handshake, now: float) -> str:
    """The state at that time: an invitation that nobody answered expires by itself."""
    return "EXPIRED" if handshake.state == "OPEN" and now >= handshake.expires else handshake.state


def visible(handshake: Handshake, now: float) -> bool:
    """Whether the invitation is shown at that time (API Reference: for 30 days after it is over)."""
    return now < (handshake.ended or handshake.expires) + limits.KEPT


def shown_handshake(call: Call, handshake: Handshake) -> wire.Handshake:
    """The invitation, with who invites."""
    organization = call.tx.get(ORGANIZATIONS, handshake.organization)
    return wire.Handshake(
        id=handshake.id,
        arn=handshake_arn(organization, call.account, handshake.id),
        parties=[
            wire.HandshakeParty(id=handshake.organization, type="ORGANIZATION"),
            wire.HandshakeParty(id=handshake.invited, type=handshake.invited_by),
        ],
        state=state_of(handshake, call.now),
        requested_timestamp=handshake.requested,
        expiration_timestamp=handshake.expires,
        action="INVITE",
        resources=_resources(call, handshake),
    )


def _resources(call: Call, handshake: Handshake) -> list[wire.HandshakeResource]:
    resources = [
        wire.HandshakeResource(
            type="ORGANIZATION", value=handshake.organization, resources=_sender(call, handshake)
        ),
        wire.HandshakeResource(type=handshake.invited_by, value=handshake.invited),
    ]
    if handshake.notes:
        resources.append(wire.HandshakeResource(type="NOTES", value=handshake.notes))
    return resources


def _sender(call: Call, handshake: Handshake) -> list[wire.HandshakeResource]:
    organization = call.tx.get(ORGANIZATIONS, handshake.organization)
    sender = call.tx.get(ACCOUNTS, organization.management) if organization is not None else None
    given = {
        "MASTER_EMAIL": sender.email if sender is not None else "",
        "MASTER_NAME": sender.name if sender is not None else "",
        "ORGANIZATION_FEATURE_SET": "FULL",
    }
    return [wire.HandshakeResource(type=kind, value=value) for kind, value in given.items() if value]
