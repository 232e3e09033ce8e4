"""Signed notes, checkpoints and verifier keys, as C2SP has them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from keystead_verify.findings import Malformed

LOG: Final = 1
WITNESS: Final = 4
LONGEST: Final = 256 << 10

_LENGTHS: Final = {LOG: 64, WITNESS: 72}
_SIZE: Final = re.compile("0|[1-9][0-9]{0,18}")
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")
_LATEST: Final = 2**63 - 1


class BadSignature(Exception):  # noqa: N818 - named as the finding it becomes
    """A signature is wrong, or there is none by a trusted key."""


@dataclass(frozen=True)
class Key:
    """A verifier key; `kind` is LOG or WITNESS."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """What stands before its signatures."""
        return sha256(f"{self.name}\n".encode() + bytes((self.kind,)) + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """The key as people pass it on."""
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes((self.kind,)) + self.public).decode()}"


@dataclass(frozen=True)
class Checkpoint:
    """What a log signed: so many entries under this root; `witnesses` are those whose cosignature is good, with times."""

    origin: str
    size: int
    root: bytes
    witnesses: tuple[tuple[Key, int], ...] = ()


def base64(text: str) -> bytes:
    """The bytes.

    Raises:
        Malformed: `text` is not their standard Base64.
    """
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise Malformed("not Base64") from None
    if b64encode(data).decode() != text:
        raise Malformed("not the one Base64 form of its bytes")
    return data


def parse_key(text: str) -> Key:
    """The key.

    Raises:
        Malformed: `text` is no verifier key of an Ed25519 log or witness.
    """
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not _is_name(parts[0]):  # noqa: PLR2004  name, id, key
        raise Malformed("a verifier key is NAME+ID+KEY")
    data = base64(parts[2])
    if len(data) != 33 or data[0] not in _LENGTHS:  # noqa: PLR2004  kind and Ed25519 key
        raise Malformed("a verifier key is of type 1 (log) or 4 (witness)")
    key = Key(parts[0], data[0], data[1:])
    if key.text != text.strip():
        raise Malformed("a verifier key's id is not its own")
    return key


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and name.split() == [name] and not _CONTROL.search(name)


def open_note(note: bytes, keys: Iterable[Key]) -> Checkpoint:
    """The checkpoint in the note, signed by one of the log's `keys`; wrong signatures of known keys spoil it.

    Raises:
        Malformed: it is not a checkpoint.
        BadSignature: none of the log's keys signed it, or a known key's signature is wrong.
    """
    text, cosigned = open_text(note, keys)
    checkpoint = _checkpoint(text)
    return Checkpoint(checkpoint.origin, checkpoint.size, checkpoint.root, tuple(cosigned.items()))


def open_text(note: bytes, keys: Iterable[Key]) -> tuple[str, dict[Key, int]]:
    """The note's text, signed by one of the log's `keys`, and who else signed it when.

    Raises:
        Malformed: it is no note.
        BadSignature: none of the log's keys signed it, or a known key's signature is wrong.
    """
    text, lines = _split(note)
    known = {(key.name, key.id): key for key in keys}
    by_log, cosigned = False, dict[Key, int]()
    for line in lines:
        name, data = _signature(line)
        key = known.get((name, data[:4]))
        if key is not None:
            time = _verify(key, text, data[4:])
            by_log = by_log or key.kind == LOG
            if key.kind == WITNESS:
                cosigned[key] = max(time, cosigned.get(key, 0))
    if not by_log:
        raise BadSignature("no signature by the log's trusted key")
    return text, cosigned


def _split(note: bytes) -> tuple[str, list[str]]:
    try:
        decoded = note.decode()
    except UnicodeDecodeError:
        raise Malformed("a note is UTF-8") from None
    text, empty, lines = decoded.rpartition("\n\n")
    if not empty or not lines.endswith("\n") or len(note) > LONGEST or _CONTROL.search(decoded):
        raise Malformed("a note is a text, an empty line and signatures")
    return text + "\n", lines[:-1].split("\n")


def _checkpoint(text: str) -> Checkpoint:
    lines = text[:-1].split("\n")
    if len(lines) < 3 or "" in lines or not _SIZE.fullmatch(lines[1]):  # noqa: PLR2004  origin, size, root
        raise Malformed("a checkpoint is an origin, a size and a root")
    root = base64(lines[2])
    if len(root) != 32:  # noqa: PLR2004  SHA-256
        raise Malformed("a checkpoint's root is a SHA-256 hash")
    return Checkpoint(lines[0], int(lines[1]), root)


def _signature(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _is_name(parts[1]):  # noqa: PLR2004  dash, name, signature
        raise Malformed("a signature is a dash, a name and Base64")
    data = base64(parts[2])
    if len(data) < 5:  # noqa: PLR2004  an id and something
        raise Malformed("a signature has an id and more")
    return parts[1], data


def _verify(key: Key, text: str, data: bytes) -> int:
    """The time that a witness tells; 0 for a log.

    Raises:
        BadSignature: `data` is not the key's signature.
    """
    time = int.from_bytes(data[:8], "big") if key.kind == WITNESS else 0
    head = f"cosignature/v1\ntime {time}\n" if key.kind == WITNESS else ""
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(data[-64:], (head + text).encode())
    except (InvalidSignature, ValueError):
        raise BadSignature(f"the signature of {key.name} is wrong") from None
    if len(data) != _LENGTHS[key.kind] or time > _LATEST:
        raise BadSignature(f"the signature of {key.name} has another form")
    return time
