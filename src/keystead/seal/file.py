"""The file seal: a key of 32 random bytes in a file of its own.

It protects the root key exactly as well as the file is protected: keep the file off the backups of the
store, or on another volume. Its use is to start without a person.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from keystead.crypto.aead import Aead
from keystead.crypto.derive import subkey
from keystead.entropy import Entropy, SystemEntropy
from keystead.errors import DecryptionFailed, SealError
from keystead.seal import private

KEY_BYTES = 32
SALT_BYTES = 32
_PLACE = b"keystead/seal/file"


class FileSeal:
    """Wraps under the key in `path`, which must be a plain file of mode 0600.

    While its key is being replaced the new one is in `<path>.next`; both are tried, so that a crash
    at any point of `replace` leaves a root key that opens.
    """

    name: ClassVar[str] = "file"

    def __init__(self, path: Path, entropy: Entropy | None = None) -> None:
        self._path = path
        self._entropy = entropy or SystemEntropy()

    @classmethod
    def create(cls, path: Path, entropy: Entropy | None = None) -> FileSeal:
        """A seal with a fresh key.

        Raises:
            SealError: the file is there already, or cannot be written.
        """
        if path.exists():
            raise SealError(f"{path} exists already; it may be the only key of a store")
        seal = cls(path, entropy)
        private.write(path, seal._entropy.random(KEY_BYTES))
        return seal

    def wrap(self, root: bytes) -> bytes:
        return _aead(self._path).seal(root, _PLACE, self._entropy.random(SALT_BYTES))

    def unwrap(self, blob: bytes) -> bytes:
        for path in (self._path, self._next):
            if path == self._path or path.exists():
                try:
                    return _aead(path).open(blob, _PLACE)
                except DecryptionFailed:
                    continue
        raise SealError(f"{self._path} is not the key of this root key, or the sealed root key was changed")

    @property
    def _next(self) -> Path:
        return self._path.with_name(self._path.name + ".next")

    def staged(self) -> FileSeal:
        """A file seal with a fresh key in `<path>.next`: wrap the root key with it, then `settle`.

        Raises:
            SealError: the file cannot be written.
        """
        private.write(self._next, self._entropy.random(KEY_BYTES))
        return FileSeal(self._next, self._entropy)

    def settle(self) -> None:
        """None; the staged key stands in the place of the old one, which is gone.

        Raises:
            SealError: there is no staged key, or it cannot be renamed.
        """
        private.rename(self._next, self._path)


def _aead(path: Path) -> Aead:
    key = private.read(path)
    if len(key) != KEY_BYTES:
        raise SealError(f"{path} is damaged: it has {len(key)} bytes instead of {KEY_BYTES}")
    return Aead(subkey(key, "seal/file"))
