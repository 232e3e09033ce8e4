"""Marked values, and whether any file holds one of them in any form that a leak could take."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

SHORTEST = 12  # bytes: below that a form may turn up by chance


def forms(secret: bytes) -> dict[str, bytes]:
    """How `secret` could stand in a file: as it is, encoded, or backwards."""
    found = {"raw": secret, "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode()}
    for shift in range(3):  # base64 of something longer that holds it, at each alignment
        encoded = base64.b64encode(bytes(shift) + secret)
        first = -(-shift * 8 // 6) if shift else 0
        whole = (len(secret) + shift) // 3 * 4
        found[f"base64+{shift}"] = encoded[first:whole]
        found[f"base64url+{shift}"] = encoded[first:whole].translate(bytes.maketrans(b"+/", b"-_"))
    found |= {f"{name} backwards": value[::-1] for name, value in list(found.items())}
    try:
        text = secret.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if text:
        found["UTF-16LE"], found["UTF-16BE"] = text.encode("utf-16-le"), text.encode("utf-16-be")
        found["UTF-16LE backwards"] = found["UTF-16LE"][::-1]
        found["escaped"] = "".join(f"\\u{ord(letter):04x}" for letter in text).encode()
    assert min(map(len, found.values())) >= SHORTEST
    return found


def files(roots: Iterable[Path]) -> Iterator[Path]:
    """Those that are there now; beside a running server files and folders come and go meanwhile."""
    for root in roots:
        paths = [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
        yield from (path for path in sorted(paths) if path.is_file() and not path.is_symlink())


def leaks(secrets: dict[str, bytes], roots: Iterable[Path]) -> list[str]:
    """One line for each file that holds a form of a secret."""
    wanted = [
        (name, form, value) for name, secret in secrets.items() for form, value in forms(secret).items()
    ]
    found = []
    for path in files(roots):
        with suppress(FileNotFoundError):  # gone by now
            # Zeros need no search: a journal's segments are mostly made of them.
            data = path.read_bytes().rstrip(b"\0")
            found += [f"{name} as {form} in {path}" for name, form, value in wanted if value in data]
    return found


def marked(name: str, length: int = 0) -> bytes:
    """A fresh text that cannot be there by chance, `length` bytes long if that is given."""
    text = f"CANARY.{name}.{os.urandom(32).hex()}".encode()
    assert length == 0 or len(text) >= length >= SHORTEST
    return text[-length:]
