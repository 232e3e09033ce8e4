"""What Keystead asks of a store for the sealed bytes of objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import msgspec

from keystead.crypto.frames import Buffer
from keystead.entropy import Entropy

NAME: Final = re.compile("[0-9a-f]{32}")
_NAME_BYTES: Final = 16


class Stored(msgspec.Struct, frozen=True):
    """What a store holds: `size` in bytes, `changed` in epoch seconds by the store's own clock."""

    name: str
    size: int
    changed: float
    whole: bool = True
    """False for what is left of a `put` that runs or was broken off; it is never read."""


class Blobs(Protocol):
    """A map from names to immutable byte strings of any size.

    Guarantees:
        Durability: what `put` wrote survives a crash of the process and of the machine once it returned.
        Atomicity: a `put` that fails leaves no blob, or (after BlobsUnavailable) a whole one that nobody names.
        Concurrency: every method may be called from any thread, and from several processes where the store is
            shared. A name is put once: names are random, and nothing is ever overwritten.
        Trust: none. Names say nothing, bytes are sealed before, and what comes back is verified.
        Retries: those of the store's own client only. Nothing of a body that is a stream can be sent again.
    """

    def put(self, name: str, chunks: Iterable[Buffer]) -> int:
        """The bytes written, once they are durable under `name`.

        Raises:
            BlobsUnavailable: The store failed; whether the blob is there is unknown.
            BlobsFull: There is no room for it.
        """
        ...

    def read(self, name: str, start: int, length: int) -> Iterator[Buffer]:
        """`length` bytes from `start` on, in pieces of bounded size, which nobody changes while anything looks at them.

        Raises:
            BlobMissing: There is no blob of that name.
            BlobTruncated: It ends before.
            BlobsUnavailable: The store failed.
        """
        ...

    def delete(self, name: str) -> None:
        """None, once no blob of that name can be read; also if there was none.

        Raises:
            BlobsUnavailable: The store failed; ask again.
        """
        ...

    def stored(self) -> Iterator[Stored]:
        """What the store holds, in no order; what changes meanwhile is listed or not.

        Raises:
            BlobsUnavailable: The store failed.
        """
        ...

    def sweep(self, name: str) -> None:
        """None; what a `put` of `name` left behind when it was broken off is gone. A blob stays.

        Raises:
            BlobsUnavailable: The store failed.
        """
        ...

    def close(self) -> None:
        """None; no other method may be called any more."""
        ...


def new_name(entropy: Entropy) -> str:
    """A name for a new blob: 128 random bits, which tell nobody what it is."""
    return entropy.random(_NAME_BYTES).hex()


def check_name(name: str) -> str:
    """`name`, if `new_name` can have made it: so no name is a path.

    Raises:
        ValueError: It cannot.
    """
    if not NAME.fullmatch(name):
        raise ValueError("not the name of a blob")
    return name
