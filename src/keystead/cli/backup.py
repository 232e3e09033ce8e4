"""`keystead backup`: a deployment in one file, made beside a running server, and proved by restoring it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from keystead import __version__, errors
from keystead.app import STORE
from keystead.audit.logfiles import LogFiles
from keystead.cli import archive, journals, logcopy
from keystead.cli.deployment import (
    SEAL_KEY,
    data_dir_option,
    opened,
    passphrase_option,
    the_seal,
    workers,
)
from keystead.cli.output import Failed, output_option, show
from keystead.cli.verify import evidence_missing
from keystead.entropy import SystemEntropy
from keystead.keyring import Keyring
from keystead.keyring.keyring import ROOTS
from keystead.seal import FileSeal, Seal, private, steady
from keystead.services.cloudtrail.delivery import turn
from keystead.services.kms.tables import KEYS
from keystead.storage import Store

_BEGAN: Final = "the log began while the copy was made; make the backup again"
_ROOTS: Final = ("root.sealed", "root.sealed.next")

_seal_key_option = click.option(
    "--seal-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file seal's key, which was kept apart from the backup.",
)
_existing = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def backup() -> None:
    """Copy a deployment to one file, restore it, and try whether it would restore."""


# ------------------------------------------------------------------------------ create


@backup.command()
@click.argument("file", type=click.Path(path_type=Path))
@data_dir_option
@passphrase_option
@click.option(
    "--with-seal-key",
    is_flag=True,
    help="Put the file seal's key in too: then the file alone opens everything.",
)
@output_option
def create(
    file: Path, *, data_dir: Path, passphrase_file: Path | None, with_seal_key: bool, output: str
) -> None:
    """Write the deployment to the new FILE, also while a server runs.

    The copy is opened and checked in full before FILE appears. The seal's key (or passphrase) is not in it:
    keep it somewhere else, since nothing opens the backup without it.
    """
    if file.exists():
        raise Failed(f"{file} exists already; a backup is never overwritten")
    with steady(data_dir):  # key, root key and store of one moment
        seal = the_seal(data_dir, passphrase_file)
        try:
            manifest = _written(file, data_dir, seal, with_seal_key=with_seal_key)
        except _LogBegan:  # as it does once in a deployment's life
            manifest = _written(file, data_dir, seal, with_seal_key=with_seal_key)
    if output == "json":
        show({"file": str(file), "manifest": manifest})
        return
    print(f"{file}: {len(manifest.files)} files, store at commit {manifest.commit}")
    print(_kept_apart(manifest, data_dir))


class _LogBegan(Failed):
    """The log began after it would have been copied: a server restored from this copy would take it for lost."""


def _written(file: Path, source: Path, seal: Seal, *, with_seal_key: bool) -> archive.Manifest:
    """The manifest of the backup, once it is whole at the new `file`.

    Raises:
        _LogBegan: it must be made again.
    """
    with _scratch(file.absolute().parent) as scratch:
        manifest = _snapshot(source, scratch, seal, with_seal_key=with_seal_key)
        archive.pack(file, scratch, manifest)
    return manifest


def _snapshot(source: Path, target: Path, seal: Seal, *, with_seal_key: bool) -> archive.Manifest:
    """The manifest of a consistent, verified copy of the deployment, made in the empty `target`.

    First the log, then the store, then the journals up to the store's commit: see `journals.copy`. So the log
    tells of nothing that the journals lack, and the journals hold no change that the store lacks.
    """
    copied = [name for name in _ROOTS if (source / name).exists()]
    if with_seal_key and seal.name == FileSeal.name:
        copied += [name for name in (SEAL_KEY, SEAL_KEY + ".next") if (source / name).exists()]
    for name in copied:
        private.write(target / name, private.read(source / name))
    with turn(source, wait=True):  # nothing is pruned meanwhile
        _copy_log(source, target)
        commit = _copy_store(source, target, seal)
        for worker in workers(source):
            archive.make_directories(target, [f"journal/{worker}/-"])
            journals.copy(source, worker, target, commit)
            journals.check(target, worker)
        _expect_all_evidence(source, target, seal)
    found = (*target.glob("journal/*/*.seg"), *(path for path in target.glob("log/**/*") if path.is_file()))
    names = sorted(str(path.relative_to(target)) for path in found)
    return archive.Manifest(
        keystead=__version__,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        seal=seal.name,
        commit=commit,
        files=tuple(archive.member(target, name) for name in (*copied, STORE, *names)),
    )


def _copy_log(source: Path, target: Path) -> None:
    try:
        logcopy.copy(source, target)
    except OSError as error:
        raise Failed(f"the log cannot be copied: {error.filename}: {error.strerror}") from None


def _copy_store(source: Path, target: Path, seal: Seal) -> int:
    """The commit of the copy."""
    # Asked before the store is: what evidence knows of must be there.
    known = max((journals.anchor(source, worker) for worker in workers(source)), default=0)
    with opened(source, seal) as live:
        live.expect_at_least(known)
        live.backup(target / STORE)
    return _verified_commit(target, seal)


def _expect_all_evidence(source: Path, target: Path, seal: Seal) -> None:
    """None, if the copy lacks no evidence that the deployment has.

    Raises:
        _LogBegan: it does.
    """
    # The store is told of a log only a moment after it began.
    if LogFiles(source).begun and not LogFiles(target).begun:
        raise _LogBegan(_BEGAN)
    lacking = []
    for directory in (target, source):
        with opened(directory, seal) as store:
            lacking.append(set(evidence_missing(directory, store)))
    if lacking[0] - lacking[1]:
        raise _LogBegan(_BEGAN)


def _verified_commit(directory: Path, seal: Seal) -> int:
    with opened(directory, seal) as store:
        _check_all(store)
        return store.commit_number


def _check_all(store: Store) -> int:
    """How many records the store has, all of which are what Keystead wrote.

    Raises:
        errors.StorageTampered: one is not.
    """
    found = store.verify_all()
    if found.findings:
        raise errors.StorageTampered(f"{len(found.findings)} findings, the first: {found.findings[0]}")
    return found.records


def _kept_apart(manifest: archive.Manifest, data_dir: Path) -> str:
    if any(entry.name == SEAL_KEY for entry in manifest.files):
        return "It holds the seal's key: whoever has this file has every key. Guard it so."
    if manifest.seal == FileSeal.name:
        return f"It does not hold the seal's key: keep a copy of {data_dir / SEAL_KEY} apart from it."
    return "It opens with the passphrase of today: keep that apart from it."


# ----------------------------------------------------------------------------- restore


@backup.command()
@_existing
@click.option(
    "--data-dir",
    required=True,
    type=click.Path(path_type=Path),
    help="Directory to create; it must not be there.",
)
@_seal_key_option
@output_option
def restore(file: Path, *, data_dir: Path, seal_key: Path | None, output: str) -> None:
    """Make a deployment from FILE in a directory that is not there yet."""
    manifest = _placed(file, data_dir, seal_key)
    missing = manifest.seal == FileSeal.name and not (data_dir / SEAL_KEY).exists()
    if output == "json":
        show({"data_dir": str(data_dir), "seal_key_missing": missing, "manifest": manifest})
        return
    print(f"{data_dir}: restored as of {manifest.created}, store at commit {manifest.commit}")
    if LogFiles(data_dir).begun:
        print(
            "Its log goes on from there. Who saw a later checkpoint will say that it was rolled back: tell them."
        )
    if missing:
        print(f"Put the seal's key at {data_dir / SEAL_KEY} (mode 600) before you start a server on it.")


def _placed(file: Path, data_dir: Path, seal_key: Path | None) -> archive.Manifest:
    """The manifest, once the backup is in `data_dir`, which was missing or empty.

    Raises:
        Failed: something is there already, or it cannot be written; nothing is left in it.
    """
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise Failed(f"{data_dir} exists already and is not empty; nothing is overwritten")
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir.chmod(0o700)
    except OSError as error:
        raise Failed(f"{data_dir} cannot be made: {error.strerror}") from None
    # Inside: the directory itself may be a mount point, which nothing can be renamed to.
    with _unless_filled(data_dir), _scratch(data_dir) as scratch:
        manifest = _restored(file, scratch, seal_key)
        # `root.sealed` last: without it no server starts on what is there.
        for path in sorted(scratch.iterdir(), key=lambda path: path.name.startswith("root.")):
            private.rename(path, data_dir / path.name)
    return manifest


@contextlib.contextmanager
def _unless_filled(directory: Path) -> Iterator[None]:
    """A block that fills the directory; if it fails before, the empty directory is removed."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # not empty, or a mount point
            directory.rmdir()
        raise


def _restored(file: Path, directory: Path, seal_key: Path | None) -> archive.Manifest:
    """The manifest, once the backup is in the empty `directory`; a seal's key that is there opens it."""
    manifest = archive.unpack(file, directory)
    if seal_key is not None:
        if manifest.seal != FileSeal.name:
            raise Failed(f"this backup is sealed by {manifest.seal}, not by a key file")
        private.write(directory / SEAL_KEY, _plain(seal_key))
    if (directory / SEAL_KEY).exists():
        with opened(directory, the_seal(directory, None)):
            pass
        _tidy(directory)
    return manifest


def _plain(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}") from None


def _tidy(directory: Path) -> None:
    """None; SQLite's side files of a store that was opened and closed are gone."""
    for suffix in ("-generation", "-wal", "-shm"):
        (directory / (STORE + suffix)).unlink(missing_ok=True)


# ------------------------------------------------------------------------------- drill


class Drill(msgspec.Struct, frozen=True):
    """What a drill found in order."""

    created: str
    commit: int
    records: int
    events: int
    keys: int
    materials: int


@backup.command()
@_existing
@_seal_key_option
@passphrase_option
@output_option
def drill(file: Path, *, seal_key: Path | None, passphrase_file: Path | None, output: str) -> None:
    """Restore FILE to a temporary directory, check everything in it, and delete it again.

    Every record and every event is verified, and the material of every key is unwrapped.
    """
    with _scratch(None) as scratch:
        manifest = _restored(file, scratch, seal_key)
        if manifest.seal == FileSeal.name and not (scratch / SEAL_KEY).exists():
            raise click.UsageError("the backup does not hold the seal's key: give it with --seal-key FILE")
        done = _drilled(scratch, the_seal(scratch, passphrase_file), manifest)
    if output == "json":
        show(done)
        return
    print(f"ok   store: {done.records} records, commit {done.commit}")
    print(f"ok   evidence: {done.events} events")
    print(f"ok   keys: {done.keys}, with {done.materials} versions of material, each unwrapped")
    print(f"{file} would restore the deployment as of {done.created}")


def _drilled(directory: Path, seal: Seal, manifest: archive.Manifest) -> Drill:
    with opened(directory, seal) as store:
        records = _check_all(store)
        checked = [journals.check(directory, worker) for worker in workers(directory)]
        store.expect_at_least(max((journal.anchor for journal in checked), default=0))
        keys, materials = _unwrapped(store)
        return Drill(
            created=manifest.created,
            commit=store.commit_number,
            records=records,
            events=sum(journal.events for journal in checked),
            keys=keys,
            materials=materials,
        )


def _unwrapped(store: Store) -> tuple[int, int]:
    """How many keys there are, and versions of key material, each of which could be lent."""
    tx = store.transaction()
    if not tx.scan(ROOTS, ""):
        return 0, 0  # a store that was never served has no key ring yet
    ring = Keyring.open(store, SystemEntropy())
    keys = [key for _, key in tx.scan(KEYS, "")]
    materials = 0
    for key in keys:
        for material in key.materials:
            # Destroyed material is absent by intent, as is what waits for its import.
            with contextlib.suppress(errors.KeyUnavailable):
                wrapped = key.wrapped(material.id)
                if wrapped is None:
                    ring.lend(tx, key.path, key.spec, material.id)
                else:
                    ring.lend_named(tx, key.path, key.spec, material.id, wrapped)
                materials += 1
    return len(keys), materials


# ----------------------------------------------------------------------------- private


@contextlib.contextmanager
def _scratch(parent: Path | None) -> Iterator[Path]:
    """A block with an empty directory of its own in `parent`, which nobody else may read; gone afterwards."""
    try:
        directory = Path(tempfile.mkdtemp(prefix=".keystead-", dir=parent))
    except OSError as error:
        raise Failed(f"{parent} cannot be written: {error.strerror}") from None
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
