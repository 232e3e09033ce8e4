"""The caller of one request: what its signature proved."""

from __future__ import annotations

from typing import Final

import msgspec

from keystead.identity.session import Session

ROOT: Final = "Root"
IAM_USER: Final = "IAMUser"
ASSUMED_ROLE: Final = "AssumedRole"
FEDERATED_USER: Final = "FederatedUser"
AWS_SERVICE: Final = "AWSService"
WEB_IDENTITY: Final = "WebIdentityUser"
ANONYMOUS: Final = "AWSAccount"
"""What CloudTrail calls a caller of S3 that signs nothing."""


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """The role, user or root that a session's credentials come from; `type` is `Role`, `IAMUser` or `Root`."""

    type: str
    id: str
    arn: str
    name: str = ""


class Caller(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A principal, named as CloudTrail's userIdentity and GetCallerIdentity name it.

    Two callers are one only if they are the same object: it lives as long as what it was made of is
    unchanged, so that things can be remembered for it.

    Attributes:
        kind: a userIdentity type.
        principal_id: the account id for an account's root, `AROA…:session` for a role's session.
        name: the user's name, the session's name, or the service principal's; a web identity's subject.
        session: for temporary credentials.
        issuer: for temporary credentials, what they come from.
        provider: the ARN of the identity provider, of a web identity; its account is that of the role it asks for.
    """

    kind: str
    arn: str
    account: str
    principal_id: str
    access_key_id: str
    name: str = ""
    session: Session | None = None
    issuer: Issuer | None = None
    provider: str = ""
