"""AWS Signature Version 4: whether a request was signed with a key, for now, and unchanged.

`parse` reads the claim without believing it; the caller looks up the secret; `verify` decides.
Time is passed in. Parts of a claim are remembered; a verdict never is. Wording is AWS's; sources:
IAM User Guide, "AWS Signature Version 4" and "Troubleshoot signed requests".
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NoReturn

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from keystead.errors import InvalidSignature
from keystead.wire.canonical import canonical_request
from keystead.wire.claim import ALGORITHM, TERMINATOR, parse, signed
from keystead.wire.http import Request
from keystead.wire.signing import S3, STANDARD, Claim, Rules, Scope

__all__ = [
    "MISMATCH",
    "S3",
    "STANDARD",
    "Begun",
    "Claim",
    "Rules",
    "Scope",
    "SigningKey",
    "check",
    "parse",
    "prove",
    "signature",
    "signed",
    "signing_key",
    "verify",
    "window",
]

UNSIGNED = "UNSIGNED-PAYLOAD"
_DECLARED = "x-amz-content-sha256"
_MEMOISED = 512  # entries, and characters of the longest: what strangers can fill stays small

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)
_HOST = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."


class Begun:
    """An HMAC-SHA256 that has begun, so that each use copies it instead of beginning anew."""

    __slots__ = ("_begun",)

    def __init__(self, begun: HMAC) -> None:
        self._begun = begun

    def sign(self, text: bytes) -> str:
        """The HMAC of what it began with and `text`, in lower-case hex."""
        mac = self._begun.copy()
        mac.update(text)
        return mac.finalize().hex()

    def __repr__(self) -> str:
        return "<SigningKey>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not to be copied out")


class SigningKey(Begun):
    """A derived key."""

    __slots__ = ()

    def __init__(self, key: bytes) -> None:
        super().__init__(HMAC(key, SHA256()))

    def begin(self, claim: Claim) -> Begun:
        """What is left to sign after it is the hash of a canonical request: the string to sign ends with that."""
        mac = self._begun.copy()
        mac.update(f"{ALGORITHM}\n{claim.date}\n{claim.scope.text}\n".encode())
        return Begun(mac)


def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The 32-byte key that `secret` gives for one day (YYYYMMDD), region and service."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


# ------------------------------------------------------------------------------- verify


def verify(
    claim: Claim,
    request: Request,
    key: SigningKey,
    now: float,
    rules: Rules = STANDARD,
    payload: str | None = None,
) -> None:
    """None if `request` was signed with `key`, for now, and nothing in it was changed since.

    `payload` stands for the body of a request that was sent to somebody else: its hash in hex.

    Raises:
        InvalidSignature: it was not, or it came too early or too late.
    """
    check(claim, request.headers, now, rules)
    prove(claim, request, key.begin(claim), rules, payload)


def window(claim: Claim, rules: Rules = STANDARD) -> tuple[int, int]:
    """When a request with this claim is taken: the first and the last moment, in epoch seconds."""
    return claim.time - rules.skew, claim.time + (rules.skew if claim.expires is None else claim.expires)


def check(claim: Claim, headers: Mapping[str, str], now: float, rules: Rules = STANDARD) -> None:
    """None if the claim is for now, and is made of all headers that it must be made of.

    Raises:
        InvalidSignature: it is not.
    """
    first, last = window(claim, rules)
    if not first <= now <= last:
        raise InvalidSignature(_untimely(claim, now, last - claim.time, rules.skew))
    _check_signed(claim.scope.signed_headers, headers)
    if claim.scope.day != claim.date[:8]:
        raise InvalidSignature(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claim.day}' != '{claim.date[:8]}', from '{claim.date}'."
        )


def prove(
    claim: Claim, request: Request, begun: Begun, rules: Rules = STANDARD, payload: str | None = None
) -> None:
    """None if `request` was signed with the key that has begun, by `SigningKey.begin`, with this claim.

    Raises:
        InvalidSignature: it was not.
    """
    expected = signature(claim, request, begun, rules, payload)
    try:
        if hmac.compare_digest(expected, claim.signature):
            return
    except TypeError:  # text that is not ASCII
        pass
    raise InvalidSignature(MISMATCH)


def signature(
    claim: Claim, request: Request, begun: Begun, rules: Rules = STANDARD, payload: str | None = None
) -> str:
    """The signature that `request` should have, in hex.

    Raises:
        InvalidSignature: a signed header is missing, or the body is not what its header says.
    """
    if payload is None:
        if rules.unsigned_payload and _is_open(claim, request.headers):
            payload = UNSIGNED
        else:  # always the body's own hash
            payload = sha256(request.body).hexdigest()
            if request.headers.get(_DECLARED, payload) != payload:
                raise InvalidSignature(MISMATCH)
    try:
        canonical = canonical_request(request, claim.scope.form, payload, path_as_sent=rules.path_as_sent)
    except (KeyError, UnicodeEncodeError):
        raise InvalidSignature(MISMATCH) from None
    return begun.sign(sha256(canonical).hexdigest().encode())


def _is_open(claim: Claim, headers: Mapping[str, str]) -> bool:
    """Whether the signature is of any body; a presigned request need not say so."""
    declared = headers.get(_DECLARED)
    return declared == UNSIGNED or (declared is None and claim.expires is not None)


def _untimely(claim: Claim, now: float, lives: int, skew: int) -> str:
    if now > claim.time:
        return (
            f"Signature expired: {claim.date} is now earlier than {_stamp(now - lives)} "
            f"({_stamp(now)} - {_span(lives)})"
        )
    return (
        f"Signature not yet current: {claim.date} is still later than {_stamp(now + skew)} "
        f"({_stamp(now)} + {_span(skew)})"
    )


def _check_signed(signed: tuple[str, ...], headers: Mapping[str, str]) -> None:
    """A header that decides what is done (host, x-amz-target, x-amz-security-token) must be signed."""
    if "host" not in signed:
        raise InvalidSignature(_HOST)
    names = "\n".join(headers)
    first = (_known_unsigned if len(names) <= _MEMOISED else _unsigned)(names, signed)
    if first is not None:
        raise InvalidSignature(f"There were headers present in the request which were not signed: {first}")


def _unsigned(names: str, signed: tuple[str, ...]) -> str | None:
    """The first of the names, a line each, that should be signed and is not."""
    for name in names.split("\n"):
        if name.startswith("x-amz-") and name not in signed:
            return name
    return None


_known_unsigned = lru_cache(_MEMOISED)(_unsigned)
"""The same, remembered: a client sends the same headers again and again."""


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y%m%dT%H%M%SZ")


def _span(seconds: int) -> str:
    return f"{seconds} sec." if seconds % 60 else f"{seconds // 60} min."
