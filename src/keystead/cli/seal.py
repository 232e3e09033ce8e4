"""`keystead seal`: what protects the root key, and changing it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
import msgspec

from keystead import errors
from keystead.app import STORE, open_store
from keystead.cli.deployment import (
    SEAL_KEY,
    asker,
    data_dir_option,
    opened,
    passphrase_option,
    quiet,
    served,
    the_seal,
)
from keystead.cli.output import Failed, output_option, show
from keystead.entropy import SystemEntropy
from keystead.seal import (
    ROOT_BYTES,
    FileSeal,
    PassphraseSeal,
    Seal,
    changing,
    next_root,
    promote_root,
    rekey,
    seal_name,
    stage_root,
    unseal,
)
from keystead.storage import BACKENDS, Store

_NEXT: Final = "root.sealed.next"
_NOTHING: Final = "nothing was changed"


@click.group()
def seal() -> None:
    """Show and change what protects the root key."""


# ------------------------------------------------------------------------------ status


class Status(msgspec.Struct, frozen=True):
    """`epochs` are the barrier's; it is None if the root key could not be had."""

    seal: str
    served: bool
    root_key_staged: bool
    opens: bool
    problem: str | None
    epoch: int | None
    epochs: int | None


@seal.command()
@data_dir_option
@passphrase_option
@output_option
def status(*, data_dir: Path, passphrase_file: Path | None, output: str) -> None:
    """Show the seal, whether it opens the store, and the barrier's epochs."""
    found = _status(data_dir, passphrase_file)
    if output == "json":
        show(found)
        return
    print(f"seal      {found.seal}")
    print(f"opens     {'yes' if found.opens else f'no: {found.problem}'}")
    if found.epochs is not None:
        print(f"barrier   epoch {found.epoch}" + (f", {found.epochs} in use" if found.epochs > 1 else ""))
    print(f"server    {'running' if found.served else 'not running'}")
    if found.root_key_staged:
        print("A change of the root key was interrupted; `keystead seal rekey --new-root-key` completes it.")


def _status(directory: Path, passphrase_file: Path | None) -> Status:
    epoch = epochs = problem = None
    name = seal_name(directory)
    try:
        with opened(directory, the_seal(directory, passphrase_file)) as store:
            barrier = store.view.barrier()
            epoch, epochs = barrier.current, len(barrier.epochs.keys)
    except errors.OperatorError as error:
        problem = str(error)
    staged = (directory / _NEXT).exists()
    return Status(name, served(directory), staged, problem is None, problem, epoch, epochs)


# ------------------------------------------------------------------------------- rekey


@seal.command("rekey")
@data_dir_option
@passphrase_option
@click.option("--to", type=click.Choice(["file", "passphrase"]), help="Another seal; default: the same one.")
@click.option(
    "--new-passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File whose first line is the new passphrase; without it, a terminal is asked.",
)
@click.option("--new-root-key", is_flag=True, help="Replace the root key too; no server may run meanwhile.")
def rekey_command(
    *,
    data_dir: Path,
    passphrase_file: Path | None,
    to: str | None,
    new_passphrase_file: Path | None,
    new_root_key: bool,
) -> None:
    """Wrap the root key anew: under a new key file, a new passphrase, or another seal.

    Works beside a running server, which asks the seal only when it or a worker of it starts: then the new passphrase must
    be in its passphrase file. Backups made before still open with what opened them then.
    """
    old = the_seal(data_dir, passphrase_file)
    wanted = to or old.name
    if new_passphrase_file is not None and wanted != PassphraseSeal.name:
        raise click.UsageError("--new-passphrase-file is for the passphrase seal")
    with opened(data_dir, old):
        pass  # before anything is changed, it must open
    ask = asker(new_passphrase_file, "New passphrase", confirm=True)
    if wanted != FileSeal.name:
        ask()  # nobody else waits for a person
    with changing(data_dir, _say_waiting):
        if seal_name(data_dir) != old.name:
            raise Failed(f"another command changed the seal meanwhile; {_NOTHING}")
        if new_root_key:
            _replace_root(data_dir, old)
        elif (data_dir / _NEXT).exists():
            raise Failed(
                f"a change of the root key was interrupted: complete it with --new-root-key; {_NOTHING}"
            )
        if wanted == FileSeal.name:
            _to_file(data_dir, old)
        else:
            rekey(data_dir, old, PassphraseSeal(ask))
    print(f"The root key of {data_dir} is wrapped anew by the {wanted} seal.")
    if wanted != FileSeal.name and old.name == FileSeal.name:
        print(
            f"{data_dir / SEAL_KEY} no longer opens it; backups made before now do need that file: move it to "
            "where you keep it for them, or delete it."
        )


def _say_waiting() -> None:
    click.echo("Waiting for a backup, or whatever else reads the root key now, to come to its end.", err=True)


def _to_file(directory: Path, old: Seal) -> None:
    path = directory / SEAL_KEY
    if isinstance(old, FileSeal):
        _settle(directory, old)
        # In three steps, each of which leaves a root key that opens: see `FileSeal`.
        rekey(directory, old, old.staged())
        old.settle()
        return
    if path.exists():
        raise Failed(f"{path} is there already, for older backups perhaps: move it away first; {_NOTHING}")
    rekey(directory, old, FileSeal.create(path))


def _settle(directory: Path, current: FileSeal) -> None:
    """None; no key of an earlier, interrupted change is left that the next one would overwrite."""
    staged = directory / (SEAL_KEY + ".next")
    if not staged.exists():
        return
    try:
        unseal(directory, FileSeal(staged))
    except errors.SealError:
        raise Failed(
            f"{staged} is left from an interrupted change and is not the key: move it away; {_NOTHING}"
        ) from None
    current.settle()


def _replace_root(directory: Path, current: Seal) -> None:
    """None; the store opens with a new root key only.

    A server that holds the old one would not find the next epoch, so that none may run.
    """
    with quiet(directory, "a new root key"):
        store = open_store(directory, current, changing=True)
        try:
            if not _complete(directory, current):
                root = SystemEntropy().random(ROOT_BYTES)
                stage_root(directory, current, root)
                # A crash here: the old root key still opens the store, the staged one is replaced later.
                store.rekey(root)
                # A crash here: only the staged root key opens the store; `open_store` tries it too.
                promote_root(directory)
        finally:
            store.close()


def _complete(directory: Path, current: Seal) -> bool:
    """Whether an interrupted change of the root key was completed just now."""
    staged = next_root(directory, current)
    if staged is None:
        return False
    backend = BACKENDS["sqlite"].open(directory / STORE)
    try:
        Store.open(backend, staged)
    except errors.StorageTampered:
        raise
    except errors.StorageError:
        return False  # the old one opens it: the change had not come that far
    finally:
        backend.close()
    promote_root(directory)
    return True


# ------------------------------------------------------------------------------ rotate


@seal.command()
@data_dir_option
@passphrase_option
def rotate(*, data_dir: Path, passphrase_file: Path | None) -> None:
    """Give the barrier a new key and seal every record under it, also beside a running server."""
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
        epoch = store.rotate_barrier()
        steps = 1
        while not store.reseal():
            steps += 1
        if not served(data_dir):
            # It builds the database anew, for which a server would have to wait.
            store.checkpoint()
    print(f"The barrier of {data_dir} is at epoch {epoch}; every record is sealed under it.")
