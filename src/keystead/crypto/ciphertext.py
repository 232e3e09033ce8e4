"""The ciphertext blob, version 1: what Encrypt answers and Decrypt takes.

    offset  bytes  field
         0      1  version, 1
         1      1  form of the key id: 0 UUID, 1 multi-Region (`mrk-`)
         2     16  key id
        18      8  account number, unsigned, big-endian
        26     32  key material id
        58      -  the Aead's sealed form (`keystead.crypto.aead`)

The associated data are the label, these 58 bytes and the canonical encryption context; the first two have
fixed lengths and the third delimits itself, so they read in one way only. The format is
published in docs/ciphertext/format.md, with a second decoder: it may gain versions, never change.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from keystead.crypto.aead import OVERHEAD as AEAD_OVERHEAD
from keystead.crypto.aead import Aead
from keystead.errors import DecryptionFailed

VERSION = 1
HEADER_BYTES = 58
OVERHEAD = HEADER_BYTES + AEAD_OVERHEAD
"""Bytes that a blob has beyond its plaintext."""

AAD_LABEL = b"keystead/ciphertext/v1"

_NUMBER = struct.Struct(">I").pack
_LAYOUT = struct.Struct(">BB16sQ32s")
_UUID, _MRK = 0, 1
_ACCOUNTS = 10**12
_KEY_ID = re.compile(
    r"mrk-([0-9a-f]{32})|([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})"
)
_ACCOUNT = re.compile("[0-9]{12}")
_MATERIAL_ID = re.compile("[0-9a-f]{64}")


class Header(msgspec.Struct, frozen=True, gc=False):
    """Which key made a blob, as anyone can read in it.

    `account` is 12 digits, `key_id` a lower-case UUID or `mrk-` and 32 hexadecimal digits,
    `material_id` 64 hexadecimal digits.
    """

    account: str
    key_id: str
    material_id: str


def encode_header(header: Header) -> bytes:
    """The first 58 bytes of the blobs that this material of the key makes.

    Raises:
        ValueError: A field is not in the form that `Header` states.
    """
    match = _KEY_ID.fullmatch(header.key_id)
    if not (match and _ACCOUNT.fullmatch(header.account) and _MATERIAL_ID.fullmatch(header.material_id)):
        raise ValueError("not the header of a ciphertext blob")
    return _LAYOUT.pack(
        VERSION,
        _MRK if match[1] else _UUID,
        bytes.fromhex("".join(filter(None, match.groups()))),
        int(header.account),
        bytes.fromhex(header.material_id),
    )


def parse(blob: bytes) -> tuple[Header, bytes]:
    """The header of `blob` and its sealed part; neither is authentic before `decrypt` has answered.

    Raises:
        DecryptionFailed: Too short, another version, or a field that no encoder writes.
    """
    return header_of(blob), blob[HEADER_BYTES:]


def header_of(blob: bytes) -> Header:
    """The header of `blob`, which is not authentic before `decrypt` has answered.

    Raises:
        DecryptionFailed: as `parse`.
    """
    if len(blob) < OVERHEAD:
        raise DecryptionFailed
    return _header_in(blob[:HEADER_BYTES])


@lru_cache(maxsize=4096)
def _header_in(prefix: bytes) -> Header:
    """The header that stands in the first 58 bytes of a blob; remembered, because one key's blobs begin alike.

    Raises:
        DecryptionFailed: another version, or a field that no encoder writes.
    """
    version, form, key_id, account, material_id = _LAYOUT.unpack(prefix)
    if version != VERSION or form not in _KEY_ID_TEXT or account >= _ACCOUNTS:
        raise DecryptionFailed
    return Header(f"{account:012d}", _KEY_ID_TEXT[form](key_id.hex()), material_id.hex())


def encrypt(
    aead: Aead, header: bytes, plaintext: bytes, context: Mapping[str, str] | None, salt: bytes
) -> bytes:
    """The blob of `plaintext` under the key that `aead` holds and `header` names, as `encode_header` writes it.

    `salt` is 32 fresh random bytes (see `Aead.seal`).

    Raises:
        ValueError: A salt of another length, or a context that is not Unicode text.
    """
    return header + aead.seal(plaintext, AAD_LABEL + header + canonical_context(context), salt)


def decrypt(aead: Aead, blob: bytes, context: Mapping[str, str] | None) -> bytes:
    """The plaintext of `blob`; the caller chose `aead` by the header that `parse` gave.

    Raises:
        DecryptionFailed: Another key, another encryption context, or not a whole, unchanged blob.
        ValueError: The context is not Unicode text.
    """
    if len(blob) < OVERHEAD or blob[0] != VERSION:
        raise DecryptionFailed
    return aead.open(blob[HEADER_BYTES:], AAD_LABEL + blob[:HEADER_BYTES] + canonical_context(context))


def canonical_context(context: Mapping[str, str] | None) -> bytes:
    """One byte string for one encryption context, whatever the order of its pairs.

    The number of pairs, then each name and value with its length before it, sorted by the UTF-8
    bytes of the names; numbers are 4 bytes, big-endian. None is the empty context.

    Raises:
        ValueError: A name or value holds a lone surrogate, which UTF-8 cannot express.
    """
    if not context:
        return _NO_PAIRS
    return _contexts.get(tuple(context.items())) or _kept_context(context)


def _kept_context(context: Mapping[str, str]) -> bytes:
    """The canonical form, remembered if it is short: most messages of an application have one of a few contexts."""
    form = _canonical(context)
    if len(form) <= _SHORT:
        if len(_contexts) >= _MOST_CONTEXTS:
            _contexts.clear()
        _contexts[tuple(context.items())] = form
    return form


def _canonical(context: Mapping[str, str]) -> bytes:
    parts = [_NUMBER(len(context))]
    for given in sorted(context):  # by code points, as their UTF-8 bytes are sorted, too (RFC 3629 section 1)
        name, value = given.encode(), context[given].encode()
        parts += (_NUMBER(len(name)), name, _NUMBER(len(value)), value)
    return b"".join(parts)


def _uuid_text(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _mrk_text(digits: str) -> str:
    return f"mrk-{digits}"


_KEY_ID_TEXT = {_UUID: _uuid_text, _MRK: _mrk_text}
_NO_PAIRS = bytes(4)
_SHORT, _MOST_CONTEXTS = 512, 1024
_contexts: dict[tuple[tuple[str, str], ...], bytes] = {}
"""Short canonical contexts by their pairs in the order in which they came. A context is no secret: it is in events."""
