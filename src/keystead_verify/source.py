"""Where evidence is read from: an unpacked bundle or data directory, or a bundle file. Nothing is unpacked to disk by name."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from keystead_verify.findings import Malformed, UsageError

CHECKPOINT: Final = "log/checkpoint"
PRUNED: Final = "log/pruned"
KEYS: Final = "keys.txt"
OPENINGS: Final = "openings.jsonl"
OLDER: Final = "checkpoints/"

_GZIP: Final = b"\x1f\x8b"
_LONGEST: Final = 256 * (2 + 0xFFFF)
"""Bytes of the longest entry bundle; nothing but openings is longer."""


class Source(Protocol):
    """Files by their names in a bundle."""

    @property
    def names(self) -> frozenset[str]:
        """The names of all files."""
        ...

    def open(self, name: str) -> BinaryIO:
        """The file, which is in `names`, to be read from its start."""
        ...

    def close(self) -> None:
        """None; nothing more is read."""
        ...


def read(source: Source, name: str, longest: int = _LONGEST) -> bytes | None:
    """The file's bytes; None if there is none.

    Raises:
        Malformed: it is longer than such a file can be.
    """
    if name not in source.names:
        return None
    with source.open(name) as file:
        data = file.read(longest + 1)
    if len(data) > longest:
        raise Malformed(f"{name} is too long")
    return data


class Directory:
    """A `Source` that is a directory; links are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.names = frozenset(self._list())

    def _list(self) -> list[str]:
        found = [name for name in (KEYS, OPENINGS) if (self._root / name).is_file()]
        for top in ("log", "checkpoints"):
            for place, _, files in os.walk(self._root / top):
                inner = Path(place).relative_to(self._root)
                found += [str(inner / name) for name in files]
        return found

    def open(self, name: str) -> BinaryIO:
        return (self._root / name).open("rb")

    def close(self) -> None:
        pass


class Tar:
    """A `Source` that is a tar file, possibly compressed by gzip (it is decompressed to a temporary file first).

    Raises:
        Malformed: it is no tar file, or has two files of one name.
    """

    def __init__(self, path: Path) -> None:
        self._file = _seekable(path)
        try:
            self._tar = tarfile.open(fileobj=self._file, mode="r:")  # noqa: SIM115 - stays open as long as the source
            members = [member for member in self._tar.getmembers() if member.isreg()]
        except tarfile.TarError:
            self._file.close()
            raise Malformed(f"{path.name} is no tar file") from None
        self._members = {member.name.removeprefix("./"): member for member in members}
        if len(self._members) != len(members):
            self.close()
            raise Malformed(f"{path.name} has two files of one name")
        self.names = frozenset(self._members)

    def open(self, name: str) -> BinaryIO:
        extracted = self._tar.extractfile(self._members[name])
        assert extracted is not None
        return extracted  # type: ignore[return-value]  # a reader of bytes, typed as IO[bytes]

    def close(self) -> None:
        self._tar.close()
        self._file.close()


def _seekable(path: Path) -> BinaryIO:
    file = path.open("rb")
    start = file.read(2)
    file.seek(0)
    if start != _GZIP:
        return file
    import gzip  # noqa: PLC0415 - only for what is compressed

    plain = tempfile.TemporaryFile()  # noqa: SIM115 - stays open as long as the source
    try:
        with file, gzip.GzipFile(fileobj=file) as packed:
            shutil.copyfileobj(packed, plain, 1 << 20)
    except (OSError, EOFError):
        plain.close()
        raise Malformed(f"{path.name} is damaged: it cannot be decompressed") from None
    plain.seek(0)
    return plain


def open_source(path: Path) -> Source:
    """The evidence at `path`.

    Raises:
        UsageError: there is nothing that can be read.
        Malformed: it is no bundle.
    """
    try:
        source: Source = Directory(path) if path.is_dir() else Tar(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if CHECKPOINT not in source.names:
        source.close()
        raise UsageError(f"{path} holds no {CHECKPOINT}")
    return source
