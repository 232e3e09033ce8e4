"""Web identity tokens: ID tokens of OpenID Connect, verified against a provider that an account has registered.

Sources: OpenID Connect Core 1.0 section 3.1.3.7; RFC 7519; IAM User Guide, "Create an OpenID Connect (OIDC)
identity provider in IAM" and "Pass session tags using AssumeRoleWithWebIdentity". Texts of refusals are those
that AWS was seen to answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api.directory import OIDC_PROVIDERS
from keystead.api.unsigned import Unsigned
from keystead.identity import OidcProvider
from keystead.services.sts.session_terms import Tags, checked_tags, session_tags

ALGORITHMS: Final = {
    "RSA": frozenset({"RS256", "RS384", "RS512"}),
    "EC": frozenset({"ES256", "ES384", "ES512"}),
}
"""What tokens may be signed with: never a shared secret, never nothing."""
TAGS: Final = "https://aws.amazon.com/tags"
SOURCE_IDENTITY: Final = "https://aws.amazon.com/source_identity"
_SKEW: Final = 300
"""Seconds that a token may come from the future: clocks differ."""
_LONGEST: Final = 255
_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_TAG_KEY = re.compile(r"[\w .:/=+\-@]{1,128}")
_TAG_VALUE = re.compile(r"[\w .:/=+\-@]{0,256}")
_UNREADABLE: Final = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)


class WebIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What a token has proved."""

    provider: OidcProvider
    subject: str
    audience: str
    methods: tuple[str, ...] = ()
    """How the subject was authenticated (`amr`)."""
    tags: Tags = Tags()
    source_identity: str = ""
    evidence: Mapping[str, Any] = {}
    """Nothing more than the caller's identity tells."""


def verified(unsigned: Unsigned, account: str, token: str) -> WebIdentity:
    """Who a token says its bearer is, by a provider that is registered in `account`.

    Raises:
        errors.InvalidIdentityToken: it is no token, of another audience, or its provider did not sign it.
        errors.IdentityTokenExpired: it has ended.
        errors.IdpCommunicationError: the provider's keys cannot be had.
    """
    header, unproven = _read(token)
    provider = _provider(unsigned, account, unproven.get("iss"))
    key = unsigned.outside.issuers.key(provider.issuer, header["kid"])
    claims = _signed_by(token, header["alg"], key)
    _check_times(claims, unsigned.wall)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST:
        raise errors.InvalidIdentityToken("The ID Token has no subject that can be used.")
    return WebIdentity(
        provider=provider,
        subject=subject,
        audience=_audience(claims, provider),
        methods=_methods(claims),
        tags=_tags(claims.get(TAGS)),
        source_identity=_source_identity(claims.get(SOURCE_IDENTITY)),
    )


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The token's header and claims; nothing of it is proved."""
    import jwt  # noqa: PLC0415  loaded by the first web identity, not by every start

    try:
        parsed = jwt.decode_complete(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise errors.InvalidIdentityToken(_UNREADABLE) from None
    header, claims = parsed["header"], parsed["payload"]
    if not isinstance(header.get("kid"), str) or not any(
        header.get("alg") in each for each in ALGORITHMS.values()
    ):
        raise errors.InvalidIdentityToken(_UNREADABLE)
    return header, claims


def _provider(unsigned: Unsigned, account: str, issuer: Any) -> OidcProvider:
    url = issuer.removeprefix("https://") if isinstance(issuer, str) else ""
    found = unsigned.tx.get(OIDC_PROVIDERS, f"{account}/{url}") if url and "\0" not in url else None
    if found is None or found.issuer != issuer:
        raise errors.InvalidIdentityToken(f"No OpenIDConnect provider found in your account for {issuer}")
    return found


def _signed_by(token: str, algorithm: str, key: Any) -> dict[str, Any]:
    import jwt  # noqa: PLC0415  as above

    kind = "RSA" if hasattr(key, "public_numbers") and hasattr(key.public_numbers(), "n") else "EC"
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=sorted(ALGORITHMS[kind] & {algorithm}),
            # Times are judged by the clock that this server is given, audiences by the provider's list.
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
        )
    except jwt.PyJWTError:
        raise errors.InvalidIdentityToken("The ID Token's signature is not valid.") from None
    return claims


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, begins = claims.get("exp"), [claims.get(name, 0) for name in ("nbf", "iat")]
    if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in (expires, *begins)):
        raise errors.InvalidIdentityToken("The ID Token does not say when it begins and ends.")
    assert expires is not None
    if expires <= now:
        raise errors.IdentityTokenExpired(
            f"Token expired: current date/time {int(now)} must be before the expiration date/time {int(expires)}"
        )
    if max(begins) > now + _SKEW:
        raise errors.InvalidIdentityToken("The ID Token is not valid yet.")


def _audience(claims: Mapping[str, Any], provider: OidcProvider) -> str:
    """The audience that the provider was registered with; of several the token must be for the party that asked."""
    given = claims.get("aud")
    audiences = [given] if isinstance(given, str) else given
    party = claims.get("azp")
    if isinstance(audiences, list):
        known = [each for each in audiences if each in provider.client_ids]
        if known and (len(audiences) == 1 or party is None or party in provider.client_ids):
            return str(party if party in known else known[0])
    raise errors.InvalidIdentityToken("Incorrect token audience")


def _methods(claims: Mapping[str, Any]) -> tuple[str, ...]:
    given = claims.get("amr")
    return tuple(each for each in given if isinstance(each, str)) if isinstance(given, list) else ()


def _source_identity(given: Any) -> str:
    if given is None:
        return ""
    if not isinstance(given, str) or not _NAME.fullmatch(given) or given.lower().startswith("aws:"):
        raise errors.InvalidIdentityToken("The source identity in the ID Token is not valid.")
    return given


def _tags(given: Any) -> Tags:
    """The session tags of a token: each value stands in a list of one."""
    if given is None:
        return Tags()
    try:
        claim = msgspec.convert(given, _TagsClaim)
        tags = checked_tags([(key, _single(values)) for key, values in claim.principal_tags.items()])
        if not all(_TAG_KEY.fullmatch(key) and _TAG_VALUE.fullmatch(value) for key, value in tags.items()):
            raise ValueError  # noqa: TRY301  told below like every other fault of the claim
        return session_tags(tags, claim.transitive_tag_keys)
    except (ValueError, errors.Validation, errors.InvalidParameterValue):
        raise errors.InvalidIdentityToken("The session tags in the ID Token are not valid.") from None


class _TagsClaim(msgspec.Struct):
    principal_tags: dict[str, list[str] | str] = {}
    transitive_tag_keys: list[str] = []


def _single(values: list[str] | str) -> str:
    if isinstance(values, str):
        return values
    (value,) = values
    return value
