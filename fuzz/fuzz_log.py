"""Any bytes at all: what reads a log's files has one reading of them or says that they are malformed.

Run with `python fuzz/fuzz_log.py [libFuzzer options] [corpus directory]`; needs atheris.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from keystead.crypto import Secret
from keystead.errors import LogError
from keystead.tlog import Salts, event_leaf, parse_path
from keystead.tlog.checkpoint import parse_checkpoint, parse_note, parse_vkey
from keystead.tlog.tile import LONGEST_ENTRY, decode_bundle, encode_bundle

SALTS: Final = Salts(Secret(bytes(32)))


def bundle(data: bytes) -> None:
    """A bundle is written as it was read."""
    entries = decode_bundle(data[1:], data[0] + 1 if data else 1)
    assert encode_bundle(entries) == data[1:]


def path(data: bytes) -> None:
    """A path is written as it was read."""
    text = data.decode("utf-8", "replace")
    assert parse_path(text).path == text


def vkey(data: bytes) -> None:
    """A verifier key is written as it was read."""
    text = data.decode("utf-8", "replace")
    assert parse_vkey(text).text == text


def checkpoint(data: bytes) -> None:
    """A checkpoint is written as it was read."""
    text = parse_note(data.decode("utf-8", "replace")).text
    assert parse_checkpoint(text).text == text


def leaf(data: bytes) -> None:
    """Every record has a leaf that fits in a bundle."""
    assert 0 < len(event_leaf(data, "w0", 0, SALTS)) <= LONGEST_ENTRY


READERS: Final[tuple[Callable[[bytes], None], ...]] = (bundle, path, vkey, checkpoint, leaf)


def one_input(data: bytes) -> None:
    """Raises only if a promise is broken."""
    for read in READERS:
        try:
            read(data)
        except LogError:
            continue


def main() -> None:
    """Fuzz until stopped."""
    import atheris  # noqa: PLC0415 -- tests run `one_input` without it

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
