"""Test vectors of sealed objects, format KSO1: tests/objects/golden/object-v1.json.

    python tools/make_object_vectors.py           write the file, if there is none
    python tools/make_object_vectors.py --check   exit 1 unless the file is what this script makes

Everything is derived from names, nothing is random, so that the file can be made again. A golden file never changes: a
stream in it must open for ever. A new version of the format gets a new file.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from itertools import count
from pathlib import Path
from typing import Any

from kept_files import keep_golden
from keystead.crypto import Secret
from keystead.objects import ObjectKey, Place, seal

GOLDEN = Path(__file__).parent.parent / "tests" / "objects" / "golden" / "object-v1.json"

_BITS = 8
_FRAME = 1 << _BITS
_TAG, _HEADER = 16, 72
_SIMPLE = {"bucket": "bucket", "key": "key", "version": "null", "part": 0}
_PART = {"bucket": "backups", "key": "2026/db.tar", "version": "3sL4kqtJlcpXroDTDmJrmSpXd3dIbrHY", "part": 7}
_WIDE = {"bucket": "b", "key": "\U0001f511/\ufffd ä", "version": "", "part": 10000}

# name, layers, place, bytes of content, frame bits
_CASES: tuple[tuple[str, int, dict[str, Any], int, int], ...] = (
    ("empty", 1, _SIMPLE, 0, _BITS),
    ("one byte", 1, _SIMPLE, 1, _BITS),
    ("one byte, default frames", 1, _SIMPLE, 1, 18),
    ("a byte less than a frame", 1, _PART, _FRAME - 1, _BITS),
    ("a frame", 1, _PART, _FRAME, _BITS),
    ("a byte more than a frame", 1, _PART, _FRAME + 1, _BITS),
    ("three frames and a half", 1, _PART, 7 * _FRAME // 2, _BITS),
    ("names beyond ASCII", 1, _WIDE, 5, _BITS),
    ("empty, two layers", 2, _SIMPLE, 0, _BITS),
    ("two frames, two layers", 2, _PART, 2 * _FRAME, _BITS),
)
_BASE = "three frames and a half"

# name, offset of the byte that is changed in the base
_DAMAGE: tuple[tuple[str, int], ...] = (
    ("magic changed", 0),
    ("algorithm changed", 4),
    ("frame bits changed", 5),
    ("content changed", 6),
    ("zero changed", 7),
    ("salt changed", 8),
    ("commitment changed", 40),
    ("first frame changed", _HEADER),
    ("tag of the first frame changed", _HEADER + _FRAME),
    ("last tag changed", -1),
)


class _Derived:
    """Entropy that is derived from a name, so that vectors can be made again."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, count()

    def random(self, length: int) -> bytes:
        return _bytes(self._name, f"salt {next(self._count)}", length)


def vectors() -> dict[str, Any]:
    """The golden file's contents; keys are hexadecimal, streams Base64."""
    good = [_vector(*case) for case in _CASES]
    named = {vector["name"]: vector for vector in good}
    refused = _refused(named[_BASE], named["two frames, two layers"])
    return {"format": "KSO1", "version": 1, "open": good, "refuse": refused}


def _vector(name: str, layers: int, place: dict[str, Any], size: int, bits: int) -> dict[str, Any]:
    keys = [_bytes(name, f"key {layer}", 32) for layer in range(layers)]
    content = _bytes(name, "content", size)
    key = ObjectKey(*map(Secret, keys))
    return {
        "name": name,
        "keys": [key.hex() for key in keys],
        "place": place,
        "size": size,
        "sha256": hashlib.sha256(content).hexdigest(),
        "stream": _text(b"".join(seal(key, Place(**place), [content], _Derived(name), bits))),
    }


def _refused(base: dict[str, Any], double: dict[str, Any]) -> list[dict[str, Any]]:
    keys, place, stream = base["keys"], base["place"], base64.b64decode(base["stream"])
    frames = [stream[at : at + _FRAME + _TAG] for at in range(_HEADER, len(stream), _FRAME + _TAG)]
    head, (first, second, third, last) = stream[:_HEADER], frames
    other = _bytes("another", "key", 32).hex()
    rows = [
        ("another key", [other], place, stream),
        *((f"another {field}", keys, place | {field: value}, stream) for field, value in _ELSEWHERE.items()),
        ("frames exchanged", keys, place, head + second + first + third + last),
        ("frame repeated", keys, place, head + first + first + third + last),
        ("frame left out", keys, place, head + first + third + last),
        ("last frame cut off", keys, place, head + first + second + third),
        ("last frame repeated", keys, place, stream + last),
        ("truncated by a byte", keys, place, stream[:-1]),
        ("extended by a byte", keys, place, stream + b"\0"),
        ("header only", keys, place, head),
        ("empty", keys, place, b""),
        ("one layer taken for two", [*keys, *keys], place, stream),
        ("two layers taken for one", double["keys"][1:], place, base64.b64decode(double["stream"])),
        ("layers exchanged", double["keys"][::-1], double["place"], base64.b64decode(double["stream"])),
        *((name, keys, place, _changed(stream, offset)) for name, offset in _DAMAGE),
    ]
    return [
        {"name": name, "keys": row_keys, "place": row_place, "stream": _text(row_stream)}
        for name, row_keys, row_place, row_stream in rows
    ]


_ELSEWHERE = {"bucket": "backup", "key": "2026/db.tax", "version": "null", "part": 8}


def _changed(stream: bytes, offset: int) -> bytes:
    changed = bytearray(stream)
    changed[offset] ^= 0x01
    return bytes(changed)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(name: str, field: str, length: int) -> bytes:
    return hashlib.shake_256(f"keystead object vector/{name}/{field}".encode()).digest(length)


def main(arguments: list[str]) -> int:
    """The exit status: 0 if the file is there and right, 1 if it differs, 2 for a wrong argument."""
    return keep_golden(__doc__, GOLDEN, vectors(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
