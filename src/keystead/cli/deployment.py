"""A deployment's data directory, as commands find it: how its seal, its store and its journals are opened.

Layout: `seal.key` (file seal only), `root.sealed`, `store.db`, `journal/<worker>/`.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, TypeVar

import click

from keystead import errors
from keystead.app import open_store
from keystead.audit.disk import Lock
from keystead.cli.output import Failed
from keystead.seal import SEALS, PassphraseSeal, Seal, SealOptions, seal_name, steady, unseal
from keystead.seal.seal import no_passphrase
from keystead.storage import Store

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

SEAL_KEY: Final = "seal.key"
JOURNALS: Final = "journal"

_PATIENCE: Final = 10.0
"""Seconds in which a running server's log has what was called before; it takes half a second while nobody waits for it."""
_PAUSE: Final = 0.1


def _data_dir(*, exists: bool) -> Callable[[F], F]:
    return click.option(
        "--data-dir",
        type=click.Path(exists=exists, file_okay=False, path_type=Path),
        default="keystead-dev",
        envvar="KEYSTEAD_DATA_DIR",
        show_default=True,
        help="Directory that holds the deployment.",
    )


data_dir_option = _data_dir(exists=True)
data_dir_unless_other_option = _data_dir(exists=False)
"""The same where something else may be looked at in its place."""

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True),
    envvar="KEYSTEAD_PASSPHRASE_FILE",
    help="File whose first line is the passphrase; without it, a terminal is asked.",
)


# -------------------------------------------------------------------------------- seal


def asker(file: Path | None, prompt: str = "Passphrase", *, confirm: bool = False) -> Callable[[], str]:
    """What returns the passphrase each time it is asked: from the file, or asked once of the person.

    What it raises in turn: SealError if nobody can be asked or the file cannot be read.
    """
    known: list[str] = []

    def ask() -> str:
        if not known:
            known.append(_asked(file, prompt, confirm=confirm))
        return known[0]

    return ask


def _asked(file: Path | None, prompt: str, *, confirm: bool) -> str:
    if file is not None:
        try:
            with click.open_file(str(file), "rb") as stream:
                return str(stream.readline().decode().rstrip("\r\n"))
        except OSError as error:
            raise errors.SealError(f"the passphrase file {file} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise errors.SealError(f"the passphrase file {file} does not begin with a line of text") from None
    if not sys.stdin.isatty():
        return no_passphrase()
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))


def the_seal(directory: Path, passphrase_file: Path | None) -> Seal:
    """The seal that wrapped the deployment's root key.

    Raises:
        errors.SealError: `root.sealed` cannot be read, or this Keystead does not know its seal.
    """
    return seal_with(directory, asker(passphrase_file))


def seal_with(directory: Path, ask: Callable[[], str]) -> Seal:
    """The same, with a passphrase that `ask` tells.

    Raises:
        errors.SealError: `root.sealed` cannot be read, or this Keystead does not know its seal.
    """
    name = seal_name(directory)
    if name not in SEALS:
        raise errors.SealError(f"the root key was sealed by {name!r}, which this Keystead does not know")
    return SEALS[name](SealOptions(directory, ask))


def passphrase_now(directory: Path, told: str, file: Path | None) -> str:
    """The passphrase that opens the seal as it is now: the one told, or what `file` says by now; "" if it needs none.

    `keystead seal rekey` may change it while a server runs, which needs it again for each process that it starts.

    Raises:
        errors.SealError: neither opens it, or `root.sealed` cannot be read.
    """
    if seal_name(directory) != PassphraseSeal.name or _opens(directory, told):
        return told
    if file is not None and file.is_file():  # what is piped in is there once
        said = _asked(file, "", confirm=False)
        if _opens(directory, said):
            return said
    raise errors.SealError(
        "the seal has another passphrase by now: write it to the passphrase file, or start the server anew with it"
    )


def _opens(directory: Path, passphrase: str) -> bool:
    try:
        unseal(directory, seal_with(directory, lambda: passphrase))
    except errors.SealError:
        return False
    return True


# ------------------------------------------------------------------------------- store


@contextlib.contextmanager
def opened(directory: Path, seal: Seal) -> Iterator[Store]:
    """A block with the deployment's store open; a change of what protects the root key waits for its end.

    Raises:
        errors.SealError: the seal does not open the root key.
        errors.StorageError: there is no store, or it does not open.
    """
    with steady(directory), contextlib.closing(open_store(directory, seal)) as store:
        yield store


# ------------------------------------------------------------------------------ server


def workers(directory: Path) -> list[str]:
    """The names of those who have a journal here, sorted."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(entry.name for entry in (directory / JOURNALS).iterdir() if entry.is_dir())
    return []


@contextlib.contextmanager
def quiet(directory: Path, doing: str) -> Iterator[None]:
    """A block during which no server writes this deployment, nor starts to.

    Raises:
        Failed: one is running; the message says that it must be stopped for `doing`.
    """
    locks: list[Lock] = []
    try:
        for worker in workers(directory):
            try:
                locks.append(Lock(directory / JOURNALS / worker, patience=Lock.patience))
            except errors.JournalError:
                raise Failed(f"a server is running on {directory}: stop it for {doing}") from None
        yield
    finally:
        for lock in locks:
            lock.release()


def served(directory: Path) -> bool:
    """Whether a server runs on this deployment. One that starts at this moment starts all the same."""
    try:
        for worker in workers(directory):
            Lock(directory / JOURNALS / worker, asking=True).release()
    except errors.JournalError:
        return True
    return False


def soon(directory: Path, look: Callable[[], T | None]) -> T | None:
    """What `look` finds; beside a running server, whose log follows its calls a moment later, it looks until it does."""
    end = monotonic() + _PATIENCE
    while True:
        # Asked first: a server that stops writes its log to the end.
        waits = served(directory) and monotonic() < end
        found = look()
        if found is not None or not waits:
            return found
        sleep(_PAUSE)
