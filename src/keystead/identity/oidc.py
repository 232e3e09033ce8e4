"""OpenID Connect providers: issuers whose tokens may be exchanged for a role's session."""

from __future__ import annotations

import msgspec

from keystead.identity.names import iam_arn


class OidcProvider(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An issuer as an account has registered it.

    `url` is the issuer's identifier without `https://`, as IAM shows it and conditions on its claims name
    it. `client_ids` are the audiences that its tokens may have; `thumbprints` SHA-1 hashes of certificates,
    in hex.
    """

    account: str
    url: str
    created: float
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        """The provider's ARN."""
        return iam_arn(self.account, "oidc-provider", "/", self.url)

    @property
    def issuer(self) -> str:
        """What the `iss` claim of its tokens says."""
        return f"https://{self.url}"
