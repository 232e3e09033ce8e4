"""Test vectors of the ciphertext blob, version 1: tests/crypto/golden/ciphertext-v1.json.

    python tools/make_vectors.py           write the file, if there is none
    python tools/make_vectors.py --check   exit 1 unless the file is what this script makes

Everything is derived from names, nothing is random, so that the file can be made again. A golden file
never changes: a blob in it must decrypt for ever. A new version of the format gets a new file.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from kept_files import keep_golden
from keystead.crypto import Aead, ciphertext

GOLDEN = Path(__file__).parent.parent / "tests" / "crypto" / "golden" / "ciphertext-v1.json"

_UUID = "1234abcd-12ab-34cd-56ef-1234567890ab"
_MRK = "mrk-1234abcd12ab34cd56ef1234567890ab"

# name, account, key id, encryption context, plaintext
_CASES: tuple[tuple[str, str, str, dict[str, str], bytes], ...] = (
    ("one byte, no context", "000000000000", _UUID, {}, b"\x00"),
    ("text", "111122223333", _UUID, {}, b"The quick brown fox jumps over the lazy dog"),
    ("data key with context", "111122223333", _UUID, {"tenant": "42", "app": "billing"}, bytes(range(32))),
    ("multi-Region key", "999999999999", _MRK, {"purpose": "replication"}, bytes(64)),
    ("context with empty texts", "000000000042", _UUID, {"": "", "a": ""}, b"x"),
    ("lengths that could be shifted", "000000000042", _UUID, {"ab": "c", "a": "bc"}, b"x"),
    # Sorted by UTF-8 bytes U+FFFD comes first; by UTF-16 units it would come last.
    ("names beyond ASCII", "111122223333", _UUID, {"\U0001f511": "key", "\ufffd": "?", "ä": "ö"}, b"x"),
    ("largest plaintext", "111122223333", _UUID, {"size": "4096"}, bytes(4096)),
)

# name, offset of the byte that is changed in "data key with context"
_DAMAGE: tuple[tuple[str, int], ...] = (
    ("version changed", 0),
    ("key id form changed", 1),
    ("key id changed", 2),
    ("account changed", 25),
    ("key material id changed", 57),
    ("salt changed", 58),
    ("commitment changed", 90),
    ("ciphertext changed", 122),
    ("tag changed", -1),
)


def vectors() -> dict[str, object]:
    """The golden file's contents; every byte string in it is hexadecimal."""
    good = [_vector(*case) for case in _CASES]
    base = next(vector for vector in good if vector["name"] == "data key with context")
    return {"format": "keystead ciphertext blob", "version": 1, "decrypt": good, "refuse": _refused(base)}


def _vector(
    name: str, account: str, key_id: str, context: dict[str, str], plaintext: bytes
) -> dict[str, object]:
    key, salt, material_id = (_bytes(name, field) for field in ("key", "salt", "key material id"))
    header = ciphertext.Header(account, key_id, material_id.hex())
    blob = ciphertext.encrypt(Aead(key), ciphertext.encode_header(header), plaintext, context, salt)
    return {
        "name": name,
        "key": key.hex(),
        "account": account,
        "key_id": key_id,
        "material_id": material_id.hex(),
        "context": context,
        "salt": salt.hex(),
        "plaintext": plaintext.hex(),
        "blob": blob.hex(),
    }


def _refused(base: dict[str, object]) -> list[dict[str, object]]:
    key, context, blob = base["key"], base["context"], bytes.fromhex(str(base["blob"]))
    rows = [
        ("another key", _bytes("another", "key").hex(), context, blob),
        ("no context", key, {}, blob),
        ("context without a pair", key, {"tenant": "42"}, blob),
        ("context with a pair more", key, {"tenant": "42", "app": "billing", "x": "y"}, blob),
        ("context in another case", key, {"Tenant": "42", "app": "billing"}, blob),
        ("context with values exchanged", key, {"tenant": "billing", "app": "42"}, blob),
        ("truncated by a byte", key, context, blob[:-1]),
        ("extended by a byte", key, context, blob + b"\0"),
        ("header only", key, context, blob[:58]),
        ("empty", key, context, b""),
    ]
    rows += [(name, key, context, _changed(blob, offset)) for name, offset in _DAMAGE]
    return [
        {"name": name, "key": row_key, "context": row_context, "blob": row_blob.hex()}
        for name, row_key, row_context, row_blob in rows
    ]


def _changed(blob: bytes, offset: int) -> bytes:
    changed = bytearray(blob)
    changed[offset] ^= 0x01
    return bytes(changed)


def _bytes(name: str, field: str) -> bytes:
    return hashlib.shake_256(f"keystead vector/{name}/{field}".encode()).digest(32)


def main(arguments: list[str]) -> int:
    """The exit status: 0 if the file is there and right, 1 if it differs, 2 for a wrong argument."""
    return keep_golden(__doc__, GOLDEN, vectors(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
