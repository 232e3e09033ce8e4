"""A second decoder of Keystead's sealed objects, written from format.md alone.

    decode.py --key HEX [--key HEX] --bucket B --object K --version V [--part N] FILE   the content on stdout
    decode.py --vectors FILE                    exit 1 unless every test vector behaves as it says

With two layers give both data keys, the inner one first. It needs Python and the `cryptography` package, nothing of
Keystead: who has the data key can read an object without the server that sealed it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX, SALT, HEADER, TAG = 8, 40, 72, 16
LEAST_BITS, MOST_BITS = 8, 24


class RefusedError(Exception):
    """The stream does not open with these keys at this place."""


def decode(keys: Sequence[bytes], place: bytes, stream: bytes) -> bytes:
    """The content of `stream`, with one key for each layer, the innermost first.

    Raises:
        RefusedError: Another key or place, another version, or a changed stream.
    """
    for content in reversed(range(len(keys))):
        stream = peel(keys[content], place, stream, content)
    return stream


def peel(key: bytes, place: bytes, stream: bytes, content: int) -> bytes:
    """What one layer holds.

    Raises:
        RefusedError: See `decode`.
    """
    header = stream[:HEADER]
    if len(header) < HEADER or header[:5] != b"KSO1\x01" or header[6:PREFIX] != bytes((content, 0)):
        raise RefusedError
    if not LEAST_BITS <= header[5] <= MOST_BITS:
        raise RefusedError
    info = b"keystead/object/v1" + header[:PREFIX] + place
    output = HKDF(SHA256(), 64, salt=header[PREFIX:SALT], info=info).derive(key)
    if not hmac.compare_digest(output[32:], header[SALT:]):
        raise RefusedError
    return frames(AESGCM(output[:32]), stream[HEADER:], 2 ** header[5] + TAG)


def frames(aes: AESGCM, body: bytes, size: int) -> bytes:
    """The plaintext of all frames in `body`, which take `size` bytes each but for the last.

    Raises:
        RefusedError: One does not open as what it must be.
    """
    result, starts = b"", range(0, max(len(body), 1), size)
    for number, start in enumerate(starts):
        nonce = (number + (2**63 if number == len(starts) - 1 else 0)).to_bytes(12, "big")
        try:
            plaintext = aes.decrypt(nonce, body[start : start + size], None)
        except InvalidTag:
            raise RefusedError from None
        if number and not plaintext:  # an empty frame stands for an empty content only
            raise RefusedError
        result += plaintext
    return result


def place_of(bucket: str, key: str, version: str, part: int) -> bytes:
    """The place as the key is derived from it."""
    result = b""
    for text in (bucket.encode(), key.encode(), version.encode()):
        result += len(text).to_bytes(4, "big") + text
    return result + part.to_bytes(4, "big")


def holds(vector: dict[str, object], *, good: bool) -> bool:
    """Whether one test vector behaves as it says."""
    keys = [bytes.fromhex(key) for key in vector["keys"]]  # type: ignore[attr-defined]  # JSON
    place = place_of(**vector["place"])  # type: ignore[arg-type]  # JSON
    try:
        content = decode(keys, place, base64.b64decode(str(vector["stream"])))
    except RefusedError:
        return not good
    digest = hashlib.sha256(content).hexdigest()
    return good and len(content) == vector["size"] and digest == vector["sha256"]


def check_vectors(path: Path) -> int:
    """The exit status: 0 if every vector in the file at `path` holds."""
    document = json.loads(path.read_text(encoding="ascii"))
    failed = [vector["name"] for vector in document["open"] if not holds(vector, good=True)]
    failed += [vector["name"] for vector in document["refuse"] if not holds(vector, good=False)]
    for name in failed:
        sys.stderr.write(f"failed: {name}\n")
    total = len(document["open"]) + len(document["refuse"])
    sys.stdout.write(f"{total - len(failed)} of {total} vectors hold\n")
    return 1 if failed else 0


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Open a sealed object of Keystead.")
    parser.add_argument(
        "--key", type=bytes.fromhex, action="append", help="a data key: 64 hexadecimal digits"
    )
    parser.add_argument("--bucket", default="")
    parser.add_argument("--object", default="", help="the object's key")
    parser.add_argument("--version", default="", help="the object's version id")
    parser.add_argument("--part", type=int, default=0, help="the part's number; 0 if it was put in one piece")
    parser.add_argument("--vectors", type=Path, help="check this file of test vectors instead")
    parser.add_argument("stream", nargs="?", help="the file that holds the stream; - is stdin")
    arguments = parser.parse_args()
    if arguments.vectors:
        return check_vectors(arguments.vectors)
    if not arguments.key or not arguments.stream:
        parser.error("--key and a file are needed")
    place = place_of(arguments.bucket, arguments.object, arguments.version, arguments.part)
    stream = sys.stdin.buffer.read() if arguments.stream == "-" else Path(arguments.stream).read_bytes()
    try:
        sys.stdout.buffer.write(decode(arguments.key, place, stream))
    except RefusedError:
        sys.stderr.write("the stream does not open with these keys at this place\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
