"""A second decoder of Keystead's ciphertext blob, written from format.md alone.

    decode.py --key HEX [--context JSON] FILE   the plaintext on stdout (FILE may be -, for stdin)
    decode.py --vectors FILE                    exit 1 unless every test vector behaves as it says

It needs Python and the `cryptography` package, nothing of Keystead: who has the key material can read
a blob without the server that made it.
"""

from __future__ import annotations

import argparse
import hmac
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

HEADER, SALT, COMMITMENT, TAG = 58, 32, 32, 16


class RefusedError(Exception):
    """The blob does not open with this key and this encryption context."""


def decode(key: bytes, blob: bytes, context: dict[str, str]) -> bytes:
    """The plaintext of `blob`.

    Raises:
        RefusedError: Another key or context, another version, or a changed blob.
    """
    if len(blob) < HEADER + SALT + COMMITMENT + TAG or blob[0] != 1:
        raise RefusedError
    if blob[1] > 1 or int.from_bytes(blob[18:26], "big") >= 10**12:
        raise RefusedError
    salt, rest = blob[HEADER : HEADER + SALT], blob[HEADER + SALT :]
    message_key, commitment = derive(key, salt)
    if not hmac.compare_digest(commitment, rest[:COMMITMENT]):
        raise RefusedError
    aad = b"keystead/ciphertext/v1" + blob[:HEADER] + canonical(context)
    try:
        return AESGCM(message_key).decrypt(bytes(12), rest[COMMITMENT:], aad)
    except InvalidTag:
        raise RefusedError from None


def derive(key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """The AES-256 key of one message and its commitment: SP 800-108, counter mode, HMAC-SHA256."""
    output = KBKDFHMAC(
        algorithm=SHA256(),
        mode=Mode.CounterMode,
        length=64,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=b"keystead/aead1",
        context=salt,
        fixed=None,
    ).derive(key)
    return output[:32], output[32:]


def canonical(context: dict[str, str]) -> bytes:
    """The encryption context as the tag covers it."""
    encoded = {name.encode(): value.encode() for name, value in context.items()}
    result = number(len(encoded))
    for name in sorted(encoded):
        result += number(len(name)) + name + number(len(encoded[name])) + encoded[name]
    return result


def number(value: int) -> bytes:
    """`value` in 4 bytes, most significant first."""
    return value.to_bytes(4, "big")


def describe(blob: bytes) -> dict[str, str]:
    """The fields that anyone can read in a blob."""
    digits = blob[2:18].hex()
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return {
        "account": f"{int.from_bytes(blob[18:26], 'big'):012d}",
        "key_id": f"mrk-{digits}" if blob[1] else "-".join(parts),
        "material_id": blob[26:58].hex(),
    }


def holds(vector: dict[str, object], *, good: bool) -> bool:
    """Whether one test vector behaves as it says."""
    key, blob = bytes.fromhex(str(vector["key"])), bytes.fromhex(str(vector["blob"]))
    context = vector["context"]
    if not isinstance(context, dict):
        return False
    try:
        plaintext = decode(key, blob, context)
    except RefusedError:
        return not good
    fields = describe(blob)
    stated = {name: vector.get(name) for name in fields}
    return good and plaintext.hex() == vector["plaintext"] and fields == stated


def check_vectors(path: Path) -> int:
    """The exit status: 0 if every vector in the file at `path` holds."""
    document = json.loads(path.read_text(encoding="ascii"))
    failed = [vector["name"] for vector in document["decrypt"] if not holds(vector, good=True)]
    failed += [vector["name"] for vector in document["refuse"] if not holds(vector, good=False)]
    for name in failed:
        sys.stderr.write(f"failed: {name}\n")
    total = len(document["decrypt"]) + len(document["refuse"])
    sys.stdout.write(f"{total - len(failed)} of {total} vectors hold\n")
    return 1 if failed else 0


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Decode a Keystead ciphertext blob.")
    parser.add_argument("--key", type=bytes.fromhex, help="the key material: 64 hexadecimal digits")
    parser.add_argument("--context", type=json.loads, default={}, help="the encryption context, as JSON")
    parser.add_argument("--vectors", type=Path, help="check this file of test vectors instead")
    parser.add_argument("blob", nargs="?", help="the file that holds the blob; - is stdin")
    arguments = parser.parse_args()
    if arguments.vectors:
        return check_vectors(arguments.vectors)
    if not arguments.key or not arguments.blob:
        parser.error("--key and a file are needed")
    blob = sys.stdin.buffer.read() if arguments.blob == "-" else Path(arguments.blob).read_bytes()
    try:
        sys.stdout.buffer.write(decode(arguments.key, blob, arguments.context))
    except RefusedError:
        sys.stderr.write("the blob does not open with this key and this encryption context\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
