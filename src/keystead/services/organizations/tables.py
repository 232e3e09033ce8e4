"""What the service stores besides the tree: invitations, and requests to create accounts."""

from __future__ import annotations

from keystead.identity.organization import AccountCreation, Handshake
from keystead.storage import Table


def _sender(_where: str, handshake: Handshake) -> list[str]:
    return [handshake.organization]


def _recipient(_where: str, handshake: Handshake) -> list[str]:
    return [handshake.account]


HANDSHAKES: Table[Handshake] = Table(
    "handshake", Handshake, indexes={"organization": _sender, "account": _recipient}
)
"""handshake id; indexes `organization` (that invites) and `account` (that is invited), by id"""

CREATIONS: Table[AccountCreation] = Table("account_creation", AccountCreation)
"""organization id/request id"""
