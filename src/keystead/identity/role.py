"""Roles: permissions that trusted principals take on for a while."""

from __future__ import annotations

import msgspec

from keystead.identity.names import iam_arn

SERVICE_LINKED_PATH = "/aws-service-role/"


class Role(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An IAM role.

    `trust` is the trust policy as it was put; `trusted` binds the users and roles that it names to their
    unique ids at that time (ARN, id). `max_session` is in seconds. `service_linked` is the service that
    the role belongs to, empty for others. The rest is as in `User`.
    """

    account: str
    name: str
    id: str
    created: float
    trust: str
    trusted: tuple[tuple[str, str], ...] = ()
    path: str = "/"
    description: str = ""
    max_session: int = 3600
    tags: dict[str, str] = {}
    boundary: str = ""
    inline: dict[str, str] = {}
    attached: tuple[str, ...] = ()
    service_linked: str = ""

    @property
    def arn(self) -> str:
        """The role's ARN, with its path."""
        return iam_arn(self.account, "role", self.path, self.name)
