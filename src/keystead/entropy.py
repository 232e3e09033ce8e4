"""Randomness as a value that is passed in."""

from __future__ import annotations

import os
import uuid
from typing import Protocol


class Entropy(Protocol):
    """A cryptographically strong source of random bytes."""

    def random(self, length: int) -> bytes:
        """`length` fresh random bytes."""
        ...


class SystemEntropy:
    """The kernel's generator."""

    def random(self, length: int) -> bytes:
        return os.urandom(length)


def new_uuid(entropy: Entropy) -> str:
    """A random UUID (version 4, RFC 9562 section 5.4) in lower-case text form."""
    return str(uuid.UUID(bytes=entropy.random(16), version=4))
