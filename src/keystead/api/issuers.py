"""Identity providers' public keys: found through discovery, kept for a while, asked for anew when one is unknown.

Only issuers that an account has registered are ever asked. Sources: OpenID Connect Discovery 1.0 section 4; RFC
7517 (JWK). Safe for threads.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from keystead import errors
from keystead.api.outbound import UnreachableError, fetch

log = structlog.get_logger("keystead.issuers")

PublicKey = RSAPublicKey | EllipticCurvePublicKey
Fetch = Callable[..., bytes]

_KEPT: Final = 3600.0
"""Seconds after which keys are asked for again."""
_BETWEEN: Final = 30.0
"""Seconds between two questions to one issuer: tokens of strangers must not make this server a nuisance."""
_MOST_ISSUERS: Final = 1024
_MOST_KEYS: Final = 100
_SMALLEST_RSA: Final = 2048
_UNAVAILABLE: Final = (
    "Couldn't retrieve verification key from your identity provider, please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)


class _Held(msgspec.Struct):
    """What is known of an issuer; `asked` is when it was last asked, and `lock` has one thread ask at a time."""

    lock: Any
    keys: dict[str, PublicKey] = {}
    asked: float = -_KEPT
    failed: bool = False


class Issuers:
    """The keys of identity providers.

    Args:
        context: whom to believe who an issuer's host is.
        private: issuers whose hosts may have addresses that are not of the public Internet.
        fetch: how a document is had.
    """

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        private: frozenset[str] = frozenset(),
        *,
        get: Fetch = fetch,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_context = context
        self._context: ssl.SSLContext | None = None
        self._private = private
        self._get = get
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def key(self, issuer: str, key_id: str) -> PublicKey:
        """The public key of `issuer` (an https URL that an account has registered) with that id.

        Raises:
            errors.IdpCommunicationError: the issuer does not answer as it should.
            errors.InvalidIdentityToken: it has no such key.
        """
        held = self._of(issuer)
        with held.lock:
            age = self._monotonic() - held.asked
            if age >= _KEPT or (age >= _BETWEEN and (held.failed or key_id not in held.keys)):
                self._ask(issuer, held)
            if held.failed:
                raise errors.IdpCommunicationError(_UNAVAILABLE)
            key = held.keys.get(key_id)
        if key is None:
            raise errors.InvalidIdentityToken(_UNAVAILABLE)
        return key

    def _of(self, issuer: str) -> _Held:
        with self._lock:
            held = self._held.get(issuer)
            if held is None:
                if len(self._held) >= _MOST_ISSUERS:
                    self._held.pop(next(iter(self._held)))
                held = self._held[issuer] = _Held(threading.Lock())
            return held

    def _ask(self, issuer: str, held: _Held) -> None:
        held.asked, held.failed = self._monotonic(), True
        try:
            held.keys = self._fetch_keys(issuer)
            held.failed = False
        except UnreachableError as error:
            held.keys = {}
            log.warning("an identity provider's keys cannot be had", issuer=issuer, reason=str(error))

    def _fetch_keys(self, issuer: str) -> dict[str, PublicKey]:
        document = self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration", issuer)
        if document.get("issuer") != issuer:
            raise UnreachableError("its discovery document is another issuer's")
        where = document.get("jwks_uri")
        if not isinstance(where, str):
            raise UnreachableError("its discovery document names no keys")
        rows = self._json(where, issuer).get("keys")
        if not isinstance(rows, list):
            raise UnreachableError("its keys cannot be read")
        found = ((row.get("kid"), usable_key(row)) for row in rows[:_MOST_KEYS] if isinstance(row, dict))
        return {kid: key for kid, key in found if isinstance(kid, str) and key is not None}

    def _json(self, url: str, issuer: str) -> Mapping[str, Any]:
        """The JSON object at `url`; another host than the issuer's own must always be a public one."""
        private = issuer in self._private and _host(url) == _host(issuer)
        if self._context is None:
            self._context = self._make_context()
        try:
            document = msgspec.json.decode(self._get(url, self._context, private=private))
        except (msgspec.MsgspecError, RecursionError):
            raise UnreachableError("it does not answer in JSON") from None
        if not isinstance(document, dict):
            raise UnreachableError("it does not answer with a JSON object")
        return document


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        raise UnreachableError("its URL is malformed") from None


def usable_key(row: dict[str, Any]) -> PublicKey | None:
    """The key of one member of a JWK Set; None if it is not one that signatures are checked with here."""
    from jwt import PyJWK, PyJWTError  # noqa: PLC0415  loaded by the first web identity, not by every start

    if row.get("use", "sig") != "sig" or row.get("kty") not in {"RSA", "EC"} or "d" in row:
        return None
    try:
        key = PyJWK(row).key
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAPublicKey):
        return key if key.key_size >= _SMALLEST_RSA else None
    return key if isinstance(key, EllipticCurvePublicKey) else None
