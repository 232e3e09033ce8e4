"""Time-based one-time passwords (RFC 6238), as authenticator apps show them: SHA-1, six digits, 30 seconds."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

STEP: Final = 30
"""Seconds for which a code is shown."""
_DIGITS: Final = 6


def step_at(time: float) -> int:
    """The number of the time step that `time` (epoch seconds) lies in."""
    return int(time // STEP)


def code_of(seed: bytes, step: int) -> str:
    """The code of one time step.

    Raises:
        ValueError: the seed has less than 128 bits.
    """
    # SHA-1 is what every authenticator app computes; HMAC does not need its collision resistance.
    return HOTP(seed, _DIGITS, SHA1()).generate(step).decode()  # noqa: S303


def step_of(seed: bytes, code: str, steps: range) -> int | None:
    """The first of `steps` that has this code, None if none has."""
    given = code.encode("utf-8", "surrogatepass")
    return next((step for step in steps if step >= 0 and bytes_eq(code_of(seed, step).encode(), given)), None)
