"""The file `root.sealed`: which seal wrapped the root key, and its blob.

One JSON object: `{"version": 1, "seal": "file", "blob": "<base64>"}`, mode 0600. It is replaced whole, by
rename. A *new seal* for the same root key (`rekey`) is one such step. A *new root key* is two: it is
staged in `root.sealed.next`, the store re-seals its list of epochs, and the staged file takes the
place of the old one; a start that finds both tries the old one first, then the staged one.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from keystead.entropy import Entropy
from keystead.errors import SealError
from keystead.seal import private
from keystead.seal.seal import ROOT_BYTES, Seal

FILE = "root.sealed"
NEXT = "root.sealed.next"
VERSION = 1


class _Sealed(msgspec.Struct, frozen=True):
    version: int
    seal: str
    blob: bytes


_decode = msgspec.json.Decoder(_Sealed).decode


def create_root(directory: Path, seal: Seal, entropy: Entropy) -> bytes:
    """A fresh root key, wrapped into `root.sealed`.

    Raises:
        SealError: there is one already, or the seal or the file cannot be used.
    """
    path = directory / FILE
    if path.exists():
        raise SealError(f"{path} exists already; it is the only way into its store")
    root = entropy.random(ROOT_BYTES)
    _write(path, seal, root)
    return root


def seal_name(directory: Path) -> str:
    """The name of the seal that wrapped the root key.

    Raises:
        SealError: `root.sealed` is missing, open to others, or damaged.
    """
    return _read(directory / FILE).seal


def unseal(directory: Path, seal: Seal) -> bytes:
    """The root key.

    Raises:
        SealError: another seal wrapped it, or `seal` does not open it, or the file cannot be used.
    """
    return _unwrap(directory / FILE, seal)


def rekey(directory: Path, old: Seal, new: Seal) -> None:
    """None; the same root key is wrapped by `new` (another seal, another passphrase), durably.

    Raises:
        SealError: `old` does not open it, or `new` cannot be used; the old file stays.
    """
    _write(directory / FILE, new, unseal(directory, old))


def stage_root(directory: Path, seal: Seal, root: bytes) -> None:
    """None; a new root key is wrapped beside the old one. Next: `Store.rekey`, then `promote_root`.

    Raises:
        SealError: the seal or the file cannot be used.
    """
    _write(directory / NEXT, seal, root)


def next_root(directory: Path, seal: Seal) -> bytes | None:
    """The staged root key, if there is one: what to try when the old one does not open the store.

    Raises:
        SealError: it is there, but cannot be unwrapped.
    """
    path = directory / NEXT
    return _unwrap(path, seal) if path.exists() else None


def promote_root(directory: Path) -> None:
    """None; the staged root key is the root key, and the old one is gone.

    Raises:
        SealError: nothing is staged, or it cannot be renamed.
    """
    private.rename(directory / NEXT, directory / FILE)


def _write(path: Path, seal: Seal, root: bytes) -> None:
    sealed = _Sealed(VERSION, seal.name, seal.wrap(root))
    private.write(path, msgspec.json.encode(sealed) + b"\n")


def _unwrap(path: Path, seal: Seal) -> bytes:
    sealed = _read(path)
    if sealed.seal != seal.name:
        raise SealError(f"{path} was sealed by {sealed.seal!r}, not by {seal.name!r}")
    return seal.unwrap(sealed.blob)


def _read(path: Path) -> _Sealed:
    content = private.read(path)
    try:
        sealed = _decode(content)
    except msgspec.DecodeError:
        raise SealError(f"{path} is damaged") from None
    if sealed.version != VERSION:
        raise SealError(f"{path} was written by a newer Keystead (version {sealed.version})")
    return sealed
