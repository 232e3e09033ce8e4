"""Signatures as values: what a signed request says of itself, and how services differ in what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

Form: TypeAlias = tuple[Callable[[Mapping[str, str]], str | tuple[str, ...]], str]
"""What gets the values of the signed headers, and the text into which they are put."""
SKEW = 300  # seconds that a clock may be off, either way


def _no_values(_headers: Mapping[str, str]) -> tuple[str, ...]:
    return ()


NO_HEADERS: Form = (_no_values, "\n\n")
"""The form of a signature that is not of headers."""


class Scope(msgspec.Struct, frozen=True, gc=False):
    """Who signed, for which day, region and service, and which headers.

    Attributes:
        text: day, region, service and terminator, as in the string to sign.
        form: the signed headers as a canonical request has them.
    """

    access_key_id: str
    day: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    text: str
    form: Form = NO_HEADERS


class Claim(msgspec.Struct, frozen=True, gc=False):
    """What a request says of itself; nothing of it is proven before `sigv4.verify`.

    Attributes:
        signature: 64 lower-case hex digits, if the client is honest.
        date: when it was signed, as signed (ISO 8601 basic).
        time: the same in epoch seconds.
        expires: seconds that a presigned request lives; None for the header form.
        session_token: of temporary credentials.
    """

    scope: Scope
    signature: str
    date: str
    time: int
    expires: int | None
    session_token: str | None

    def __repr__(self) -> str:
        """No signature and no token: either may be replayed."""
        scope = self.scope
        return f"<Claim {scope.access_key_id}/{scope.day}/{scope.region}/{scope.service}>"

    @property
    def access_key_id(self) -> str:
        return self.scope.access_key_id

    @property
    def day(self) -> str:
        return self.scope.day

    @property
    def region(self) -> str:
        return self.scope.region

    @property
    def service(self) -> str:
        return self.scope.service

    @property
    def signed_headers(self) -> tuple[str, ...]:
        return self.scope.signed_headers


class Rules(msgspec.Struct, frozen=True):
    """How a service differs: S3 does not encode paths twice, takes unsigned payloads and is patient with clocks."""

    path_as_sent: bool = False
    unsigned_payload: bool = False
    skew: int = SKEW


STANDARD = Rules()
S3 = Rules(path_as_sent=True, unsigned_payload=True, skew=900)
