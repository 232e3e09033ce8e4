"""A backup as one file: a tar archive whose first member is a manifest of the others.

`manifest.json` names every other member with its size and SHA-256, so that damage is noticed before
anything is restored. It is not a signature: that the store is the one Keystead wrote is proved by the
store itself when it is opened.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from keystead.cli.output import Failed
from keystead.seal.private import sync_directory

MANIFEST: Final = "manifest.json"
VERSION: Final = 1

_NAMES: Final = re.compile(
    r"root\.sealed|root\.sealed\.next|seal\.key|seal\.key\.next|store\.db|journal/[A-Za-z0-9_-]{1,32}/[0-9]{8}\.seg|"
    r"log/(?:head|checkpoint|pruned|tile/(?:entries|[0-9]{1,2})/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[0-9]{1,3})?)"
)
_MOST_MANIFEST: Final = 64 << 20
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""What file systems without hard links say, as on sticks and network shares."""
_CHUNK: Final = 1 << 20


class Member(msgspec.Struct, frozen=True):
    """One file of the data directory; `sha256` in hex."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds; `commit` is the store's, `seal` what opens its root key."""

    version: int = VERSION
    keystead: str
    created: str
    seal: str
    commit: int
    files: tuple[Member, ...]


def member(directory: Path, name: str) -> Member:
    """The manifest's line for a file in `directory`."""
    with (directory / name).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Member(name, file.tell(), sha256)


def pack(target: Path, directory: Path, manifest: Manifest) -> None:
    """None once the files of the manifest are durable in the new archive `target`, mode 0600.

    Raises:
        Failed: `target` exists, or cannot be written.
    """
    partial = target.with_name(target.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                _add(archive, MANIFEST, io.BytesIO(msgspec.json.format(msgspec.json.encode(manifest))))
                for entry in manifest.files:
                    with (directory / entry.name).open("rb") as content:
                        _add(archive, entry.name, content)
            file.flush()
            os.fsync(handle)
        _place(partial, target)
    except FileExistsError:
        partial.unlink(missing_ok=True)
        raise Failed(f"{target} exists already; a backup is never overwritten") from None
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise Failed(f"{target} cannot be written: {error.strerror}") from None


def _place(partial: Path, target: Path) -> None:
    """None; the file stands at the new `target`, and never in the place of what somebody else has put there meanwhile.

    Raises:
        OSError: something is there, or it cannot be.
    """
    try:
        os.link(partial, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A crash behind this leaves an empty file, which no command takes for a backup.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        partial.rename(target)
    else:
        partial.unlink()
    sync_directory(target.parent)


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size = content.seek(0, os.SEEK_END)
    info.mode = 0o600
    content.seek(0)
    archive.addfile(info, content)


def unpack(source: Path, directory: Path) -> Manifest:
    """The manifest, once all of its files are checked and in the empty `directory`, mode 0600.

    Raises:
        Failed: the archive is not a backup, or is damaged, or the files cannot be written.
    """
    try:
        with tarfile.open(source, mode="r:") as archive:
            manifest = _manifest(archive, source)
            awaited = {entry.name: entry for entry in manifest.files}
            while (info := archive.next()) is not None:
                entry = awaited.pop(info.name, None)
                if entry is None or not _NAMES.fullmatch(info.name) or info.type != tarfile.REGTYPE:
                    raise Failed(f"{source} is damaged: {info.name} does not belong in it")
                _extract(archive, info, directory, entry)
    except (tarfile.TarError, EOFError, ValueError):
        raise Failed(f"{source} is not a backup, or is cut off or damaged") from None
    except OSError as error:
        raise Failed(f"{source} cannot be restored: {error.strerror or error}") from None
    for name in awaited:
        raise Failed(f"{source} is damaged: {name} is missing")
    return manifest


def _manifest(archive: tarfile.TarFile, source: Path) -> Manifest:
    first = archive.next()
    content = archive.extractfile(first) if first is not None and first.name == MANIFEST else None
    if content is None:
        raise Failed(f"{source} is not a backup: it does not begin with {MANIFEST}")
    try:
        manifest = msgspec.json.decode(content.read(_MOST_MANIFEST), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Failed(f"{source} is damaged: {MANIFEST} cannot be read") from None
    if manifest.version != VERSION:
        raise Failed(f"{source} was written by another Keystead (version {manifest.version})")
    return manifest


def _extract(archive: tarfile.TarFile, info: tarfile.TarInfo, directory: Path, entry: Member) -> None:
    content = archive.extractfile(info)
    assert content is not None  # a regular file, as was checked
    path = directory / entry.name
    make_directories(directory, [entry.name])
    size, digest = 0, hashlib.sha256()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(handle)
    if (size, digest.hexdigest()) != (entry.size, entry.sha256):
        raise Failed(f"the backup is damaged: {entry.name} is not what was backed up")


def make_directories(directory: Path, names: Sequence[str]) -> None:
    """None; the directories of these files exist below `directory`, for their owner only."""
    for name in names:
        for parent in reversed(Path(name).parents[:-1]):
            (directory / parent).mkdir(mode=0o700, exist_ok=True)
