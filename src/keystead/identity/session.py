"""Sessions: temporary credentials, and what was settled when they were given out.

A session is stored nowhere: it travels sealed in its token. What it may do is decided at each request
from the role or user as it is then, so that deleting or changing those ends or changes every session.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

SessionKind = Literal["role", "federated", "user", "root"]
ROLE_SESSION: Final = "role"
FEDERATED_SESSION: Final = "federated"
USER_SESSION: Final = "user"
ROOT_SESSION: Final = "root"


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Temporary credentials. Times are epoch seconds.

    Attributes:
        kind: `role` (AssumeRole and its kin), `federated` (GetFederationToken), `user` and `root`
            (GetSessionToken).
        principal: the unique id of the role, or of the user who asked; empty for an account's root.
        name: the session's name; a federated user's name.
        tags: session tags; `transitive` are the names of those that role chaining hands on.
        mfa: when a second factor was proved, None if it was not.
        policies: the session policies' documents; `policy_arns` managed policies used as such.
        chained: the role was assumed with another role's session.
        provider: the identity provider's name, for web identities (`accounts.example.org`), else empty.
        subject: who the identity provider says it is: what userIdentity and conditions show.
        facts: further condition keys that the session carries, in lower case.
    """

    access_key_id: str
    secret: str
    account: str
    kind: SessionKind
    principal: str
    name: str = ""
    issued: float
    expires: float
    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    mfa: float | None = None
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    chained: bool = False
    provider: str = ""
    subject: str = ""
    facts: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Session({self.access_key_id})"


def tags_of(session: Session, role_tags: dict[str, str]) -> dict[str, str]:
    """The tags of a role's session: one that differs from a role's tag in case only takes that tag's name and place."""
    spelt = {name.lower(): name for name in role_tags}
    return {**role_tags, **{spelt.get(name.lower(), name): value for name, value in session.tags.items()}}
