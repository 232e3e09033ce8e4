"""Checkpoints: what a log says it holds (C2SP tlog-checkpoint), as a signed note (C2SP signed-note).

Two kinds of signature are known, both Ed25519: the log's own (type 0x01) over the text, and a witness's cosignature
(type 0x04, C2SP tlog-cosignature) over the text and the time at which it was seen.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keystead.crypto.secret import SECRET_ACCESS, Opaque, Secret
from keystead.errors import LogError
from keystead.tlog.merkle import HASH_BYTES

LOG: Final = 0x01
WITNESS: Final = 0x04
LONGEST_NOTE: Final = 256 << 10
"""Bytes of the longest note that is read; the specification lets a reader have a limit."""

_KINDS: Final = frozenset({LOG, WITNESS})
_DASH: Final = "\N{EM DASH} "
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = {LOG: 64, WITNESS: 8 + 64}
_ID_BYTES: Final = 4
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_HEX_ID: Final = re.compile(r"[0-9a-f]{8}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_LATEST: Final = (1 << 63) - 1


def decode64(text: str) -> bytes:
    """What `text` is the standard Base64 of, with padding and no other form.

    Raises:
        LogError: it is not.
    """
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise LogError("not Base64") from None
    if b64encode(data).decode() != text:
        raise LogError("not Base64 in its one form")
    return data


def check_name(name: str) -> None:
    """Nothing.

    Raises:
        LogError: `name` cannot be a key's name: empty, or with a space or a plus in it.
    """
    if not name or "+" in name or name.split() != [name] or _CONTROL.search(name):
        raise LogError("a key's name is not empty and holds no space and no plus")


class VerifierKey(msgspec.Struct, frozen=True):
    """A public key by its name; `kind` says what it signs (LOG or WITNESS). Its text form is a *vkey*."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The 4 bytes that go before its signatures."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_ID_BYTES]

    @property
    def text(self) -> str:
        """`name+id+key`: the id in hex, kind and key in Base64."""
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([self.kind]) + self.public).decode()}"


def parse_vkey(text: str) -> VerifierKey:
    """The key whose text form is `text`.

    Raises:
        LogError: it is malformed, of a kind that is not known here, or its id is not its own.
    """
    name, plus, rest = text.partition("+")
    key_id, also, encoded = rest.partition("+")
    if not plus or not also or not _HEX_ID.fullmatch(key_id):
        raise LogError("a verifier key is NAME+ID+KEY")
    check_name(name)
    data = decode64(encoded)
    if len(data) != 1 + _KEY_BYTES or data[0] not in _KINDS:
        raise LogError("a verifier key holds an Ed25519 key of a log (type 1) or a witness (type 4)")
    key = VerifierKey(name, data[0], data[1:])
    if key.id.hex() != key_id:
        raise LogError("a verifier key's id is not that of its key")
    return key


class Signer(Opaque):
    """A private key, under its name: of a log, or of a witness. `seed` is 32 random bytes (RFC 8032 section 5.1.5).

    Raises:
        LogError: the name cannot be a key's name.
        ValueError: the seed is not 32 bytes.
    """

    __slots__ = ("_private", "key")

    def __init__(self, name: str, kind: int, seed: Secret) -> None:
        check_name(name)
        self._private = Ed25519PrivateKey.from_private_bytes(seed.expose(SECRET_ACCESS))
        self.key = VerifierKey(name, kind, self._private.public_key().public_bytes_raw())

    def sign(self, text: str, time: int = 0) -> str:
        """The signature line under a note's text; a witness says at what `time` (epoch seconds) it signs."""
        signature = self._private.sign(_signed(self.key.kind, text, time))
        stamp = time.to_bytes(8, "big") if self.key.kind == WITNESS else b""
        return f"{_DASH}{self.key.name} {b64encode(self.key.id + stamp + signature).decode()}\n"


def _signed(kind: int, text: str, time: int) -> bytes:
    head = f"cosignature/v1\ntime {time}\n" if kind == WITNESS else ""
    return (head + text).encode()


# -------------------------------------------------------------------------------- notes


class Signature(msgspec.Struct, frozen=True):
    """One line below a note: whose it says it is, and what follows the key's id."""

    name: str
    id: bytes
    data: bytes


class Note(msgspec.Struct, frozen=True):
    """A note, nothing of it verified: its text with the newline at its end, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]


class Signed(msgspec.Struct, frozen=True):
    """A signature that is good: whose, and for a witness at what time (epoch seconds)."""

    key: VerifierKey
    time: int | None


def parse_note(note: str) -> Note:
    """The note's parts.

    Raises:
        LogError: it is malformed, or longer than is read.
    """
    text, blank, lines = note.rpartition("\n\n")
    if len(note.encode("utf-8", "replace")) > LONGEST_NOTE or _CONTROL.search(note) or not _encodes(note):
        raise LogError("a note is UTF-8 text of bounded length without control characters")
    if not blank or not lines.endswith("\n"):
        raise LogError("a note has a text, an empty line, and lines of signatures")
    return Note(text + "\n", parse_signatures(lines))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """The signatures in `lines`, each of which ends in a newline; there is one at least.

    Raises:
        LogError: a line is malformed.
    """
    if not lines.endswith("\n"):
        raise LogError("a signature's line ends in a newline")
    return tuple(_parse_signature(line) for line in lines[:-1].split("\n"))


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise LogError("a signature's line is a dash, a name and a signature")
    check_name(name)
    data = decode64(encoded)
    if len(data) <= _ID_BYTES:
        raise LogError("a signature is longer than the id of its key")
    return Signature(name, data[:_ID_BYTES], data[_ID_BYTES:])


def verify(note: Note, keys: Iterable[VerifierKey]) -> tuple[Signed, ...]:
    """The signatures by `keys`; those by others are ignored. One at least is there.

    Raises:
        LogError: a signature by one of the keys is wrong, or there is none.
    """
    known = {(key.name, key.id): key for key in keys}
    found = tuple(
        Signed(key, verify_signature(key, note.text, signature.data))
        for signature in note.signatures
        if (key := known.get((signature.name, signature.id))) is not None
    )
    if not found:
        raise LogError("no signature by a key that is trusted here")
    return found


def verify_signature(key: VerifierKey, text: str, data: bytes) -> int | None:
    """The time that a witness's signature tells; None for a log's.

    Raises:
        LogError: `data` is not the key's signature of `text`.
    """
    if len(data) != _SIGNATURE_BYTES[key.kind]:
        raise LogError("a signature has another length than its key makes")
    time = int.from_bytes(data[:8], "big") if key.kind == WITNESS else None
    if time is not None and time > _LATEST:
        raise LogError("a cosignature's time is out of range")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(data[-64:], _signed(key.kind, text, time or 0))
    except (InvalidSignature, ValueError):
        raise LogError("a signature is wrong") from None
    return time


# -------------------------------------------------------------------------- checkpoints


class Checkpoint(msgspec.Struct, frozen=True):
    """What a log says it holds: `root` over its first `size` entries. `extensions` are lines of no known meaning."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint that a note's text is.

    Raises:
        LogError: it is none.
    """
    origin, *lines = text.removesuffix("\n").split("\n")
    if not text.endswith("\n") or len(lines) < 2 or not all((origin, *lines)):  # noqa: PLR2004  size and root
        raise LogError("a checkpoint is a note of three lines or more, none of them empty")
    size, root, *extensions = lines
    if not _DECIMAL.fullmatch(size):
        raise LogError("a checkpoint's size is a decimal number")
    decoded = decode64(root)
    if len(decoded) != HASH_BYTES:
        raise LogError("a checkpoint's root is a SHA-256 hash")
    return Checkpoint(origin, int(size), decoded, tuple(extensions))


def parse_proof(lines: Sequence[str]) -> list[bytes]:
    """The hashes in lines of Base64.

    Raises:
        LogError: one of them is none.
    """
    hashes = [decode64(line) for line in lines]
    if any(len(part) != HASH_BYTES for part in hashes):
        raise LogError("a proof is made of SHA-256 hashes")
    return hashes


def open_checkpoint(note: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """The checkpoint in `note`, once it is known that one of `keys` signed it.

    Raises:
        LogError: it is no checkpoint, or not signed so.
    """
    parsed = parse_note(note)
    verify(parsed, keys)
    return parse_checkpoint(parsed.text)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """The note: the checkpoint's text under the log's signature. Witnesses' lines are appended to it as they are."""
    return f"{checkpoint.text}\n{signer.sign(checkpoint.text)}"
