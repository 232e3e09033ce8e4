"""What a seal is, and what one is made from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol

import msgspec

from keystead.entropy import Entropy, SystemEntropy
from keystead.errors import SealError

ROOT_BYTES = 32


class Seal(Protocol):
    """Wraps the root key.

    Guarantees:
        Secrecy: a blob may be read by anyone; without the seal it gives nothing away but its length
            and the parameters needed to open it.
        Integrity: a blob that was changed, or wrapped by another seal, does not open.
        Freshness: none. An old blob of the same seal opens; it holds an old root key, which opens an old
            store only.
        Concurrency: `wrap` and `unwrap` may be called from any thread; they may take seconds and wait
            for a person or a device.
    """

    name: ClassVar[str]

    def wrap(self, root: bytes) -> bytes:
        """The blob that `unwrap` turns back into these 32 bytes.

        Raises:
            SealError: the seal cannot be used (missing key file, wrong mode, no passphrase).
        """
        ...

    def unwrap(self, blob: bytes) -> bytes:
        """The 32-byte root key.

        Raises:
            SealError: this seal did not make the blob, the blob was changed, or the seal cannot be used.
        """
        ...


class Cost(msgspec.Struct, frozen=True, array_like=True):
    """What one guess at a passphrase costs (Argon2id): memory in KiB, passes, lanes.

    The default is the second recommended option of RFC 9106 section 4, for memory-constrained use.
    """

    memory: int = 64 * 1024
    passes: int = 3
    lanes: int = 4


def no_passphrase() -> str:
    """Never returns: what asks when nobody can be asked.

    Raises:
        SealError: always.
    """
    raise SealError("the passphrase seal needs a passphrase, and there is nobody to ask for it")


class SealOptions(msgspec.Struct, frozen=True):
    """What the seals are made from: each takes what it needs."""

    directory: Path
    ask: Callable[[], str] = no_passphrase
    cost: Cost = Cost()
    entropy: Entropy = msgspec.field(default_factory=SystemEntropy)
