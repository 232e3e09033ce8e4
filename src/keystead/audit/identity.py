"""Who called and what was acted on, as readers of recorded events take it (CloudTrail's userIdentity and resources)."""

from __future__ import annotations

from typing import Final

import msgspec


class Issuer(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Of whom a session is."""

    type: str = ""
    arn: str = ""
    principal_id: str = ""


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """When a session began, and whether with a second factor (`true` or `false`)."""

    creation_date: str = ""
    mfa_authenticated: str = ""


class Session(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What is told of temporary credentials."""

    session_issuer: Issuer | None = None
    attributes: Attributes | None = None
    source_identity: str = ""


class Identity(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The caller; members that an event has not are empty."""

    type: str = ""
    principal_id: str = ""
    arn: str = ""
    account_id: str = ""
    access_key_id: str = ""
    user_name: str = ""
    invoked_by: str = ""
    session_context: Session | None = None

    @property
    def issuer(self) -> Issuer:
        """Of whom its session is; empty members if it has none."""
        return (None if self.session_context is None else self.session_context.session_issuer) or Issuer()

    @property
    def attributes(self) -> Attributes:
        """Its session's; empty members if it has none."""
        return (None if self.session_context is None else self.session_context.attributes) or Attributes()

    @property
    def source_identity(self) -> str:
        """Its session's."""
        return "" if self.session_context is None else self.session_context.source_identity


class Resource(msgspec.Struct, frozen=True, gc=False):
    """Something that was acted on."""

    type: str = ""
    arn: str = msgspec.field(default="", name="ARN")


read_identity: Final = msgspec.json.Decoder(Identity).decode
read_resources: Final = msgspec.json.Decoder(list[Resource] | None).decode
