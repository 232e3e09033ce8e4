"""Deployments on disk: made, finished where a crash left half, and opened.

A data directory holds `seal.key` (file seal), `root.sealed`, `store.db` with SQLite's files beside it, and
`journal/<worker>/`. Who can write `store.db` can at most deny service; who has `seal.key` and
`root.sealed` has everything.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import structlog

from keystead import errors
from keystead.api.accounts import ensure_account, put_root_credential
from keystead.api.directory import root_credentials_of
from keystead.api.schedule import DueCall
from keystead.api.usage import USES_UP_TO
from keystead.audit.custody import known_log_keys
from keystead.audit.journal import Journal
from keystead.audit.missing import open_journal
from keystead.audit.notes import run_noted
from keystead.clock import Clock
from keystead.entropy import Entropy
from keystead.identity import Credential
from keystead.identity.credential import new_access_key
from keystead.seal import SEALS, Seal, SealOptions, create_root, next_root, seal_name, steady, unseal
from keystead.seal.file import FileSeal
from keystead.services.s3 import expiring
from keystead.settings import Settings
from keystead.storage import BACKENDS, Store, Transaction

STORE = "store.db"
log = structlog.get_logger("keystead")


def exists(directory: Path) -> bool:
    """True if the directory holds a deployment, or the beginnings of one."""
    return (directory / "root.sealed").exists() or (directory / STORE).exists()


def create(directory: Path, options: SealOptions, seal: str, entropy: Entropy) -> Store:
    """A new deployment's store in `directory`, made and sealed.

    Raises:
        errors.OperatorError: there is one already, or the directory cannot be written.
    """
    if exists(directory):
        raise errors.SettingsError(f"{directory} already holds a deployment; it is never overwritten")
    return _create(directory, options, seal, entropy)


def open_or_create(directory: Path, options: SealOptions, entropy: Entropy) -> Store:
    """The deployment in `directory`, made with a file seal if there is none, or finished if a crash left half.

    A journal is begun only after the store is complete, so where there is one nothing is made anew.

    Raises:
        errors.OperatorError: it cannot be opened, or the directory cannot be written.
    """
    name = seal_name(directory) if (directory / "root.sealed").exists() else FileSeal.name
    if (directory / "journal").exists():
        return open_store(directory, SEALS[name](options), entropy)
    return _create(directory, options, name, entropy)


def _create(directory: Path, options: SealOptions, name: str, entropy: Entropy) -> Store:
    _make_private(directory)
    if name == FileSeal.name and not (directory / "seal.key").exists():
        FileSeal.create(directory / "seal.key")
    # A crash here: a seal key that seals nothing yet.
    seal = SEALS[name](options)
    if not (directory / "root.sealed").exists():
        create_root(directory, seal, entropy)
    # A crash here: a root key without a store; the next start makes the store under the same root key.
    root = unseal(directory, seal)
    backend = BACKENDS["sqlite"].open(directory / STORE)
    try:
        return Store.create(backend, root, entropy)
    except errors.StorageUnavailable:
        raise
    except errors.StorageError:  # it is complete already
        backend.close()
        return open_store(directory, seal, entropy)


@contextmanager
def starting(directory: Path) -> Iterator[None]:
    """A block in which a server opens the store and takes its journal; nobody changes the root key meanwhile.

    Who changes it asks first whether a server has a journal: one that came in between would go on with the old root key.

    Raises:
        errors.OperatorError: the directory cannot be made or opened.
    """
    _make_private(directory)
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        log.warning(
            "others can take files of the data directory away", directory=str(directory), mode=f"{mode:04o}"
        )
    with steady(directory):
        yield


def open_store(
    directory: Path, seal: Seal, entropy: Entropy | None = None, *, changing: bool = False
) -> Store:
    """The deployment's store, also beside a running server; close it after use.

    `changing`: the caller has the turn in which what protects the root key is changed.

    Raises:
        errors.SealError: the seal does not open the root key.
        errors.StorageError: there is no store, or it does not open.
    """
    path = directory / STORE
    if not path.exists():  # opening it would make an empty one
        raise errors.StorageError(f"{directory} holds no deployment: {STORE} is missing")
    with nullcontext() if changing else steady(directory):
        return _opened(directory, seal, entropy)


def _opened(directory: Path, seal: Seal, entropy: Entropy | None) -> Store:
    root = unseal(directory, seal)
    backend = BACKENDS["sqlite"].open(directory / STORE)
    try:
        try:
            return Store.open(backend, root, entropy)
        except errors.StorageTampered:
            raise
        except errors.StorageError:
            # A change of the root key was under way when the machine stopped: the staged one may be it.
            staged = next_root(directory, seal)
            if staged is None:
                raise
            return Store.open(backend, staged, entropy)
    except BaseException:
        backend.close()
        raise


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise errors.SettingsError(
            f"cannot create the data directory {directory}: {error.strerror}"
        ) from None


def journal_of(store: Store, directory: Path, worker: str) -> Journal:
    """The worker's journal, opened; made only where neither the log nor the store knows of one.

    Raises:
        errors.JournalError: evidence is gone, another process writes the journal, or it cannot be read.
        errors.StorageError: the store cannot be read.
    """
    known = store.transaction().get(USES_UP_TO, worker)
    return open_journal(directory, worker, known_log_keys(store), 0 if known is None else known.index)


def ephemeral_store(entropy: Entropy) -> Store:
    """A store in memory that nobody else can open."""
    return Store.create(BACKENDS["memory"].open(Path()), entropy.random(32), entropy)


def first_credential(store: Store, settings: Settings, clock: Clock, entropy: Entropy) -> Credential:
    """The root credential of the first account, made if there is none (or the settings name another).

    What an older release left to be seen to is seen to in the same commit.
    """

    def ensure(tx: Transaction) -> Credential:
        expiring.resume(DueCall(tx, clock.now()))
        ensure_account(tx, settings.account_id, "main", clock.now())
        if settings.access_key_id is not None and settings.secret_access_key is not None:
            pair = (settings.access_key_id, settings.secret_access_key)
        else:
            known = root_credentials_of(tx, settings.account_id)
            if known:
                return known[0]
            pair = new_access_key(entropy)
        put_root_credential(tx, settings.account_id, *pair, clock.now())
        return Credential(
            access_key_id=pair[0], secret=pair[1], account=settings.account_id, created=clock.now()
        )

    return run_noted(store, ensure, what="first account", now=clock.now(), entropy=entropy)
