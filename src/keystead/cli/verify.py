"""`keystead audit verify`: the whole evidence of a data directory, held against itself and against the store."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click
import msgspec
from click.core import ParameterSource

from keystead import errors
from keystead.api.usage import USES_UP_TO
from keystead.app import TABLES, exists
from keystead.audit.custody import known_log_keys
from keystead.audit.logfiles import LOG
from keystead.audit.missing import missing
from keystead.audit.state import StateCheck, StateChecked
from keystead.audit.turns import unpruned
from keystead.audit.verify import LogChecked, check_log
from keystead.cli import journals
from keystead.cli.deployment import data_dir_unless_other_option, opened, passphrase_option, the_seal, workers
from keystead.cli.output import Failed, output_option, show
from keystead.storage import Store, Verification

_MOST_SHOWN: Final = 100
_NEED_DIRECTORY: Final = ("data_dir", "passphrase_file", "journals_only", "state", "checkpoints")


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked (None: not at all), and a line for each thing that is not as Keystead left it."""

    journals: tuple[journals.Checked, ...]
    log: LogChecked | None = None
    commit: int | None = None
    store: Verification | None = None
    state: StateChecked | None = None
    findings: tuple[str, ...]


@click.command()
@data_dir_unless_other_option
@passphrase_option
@click.option("--journals-only", is_flag=True, help="Leave log and store out, for which the seal is needed.")
@click.option(
    "--state",
    is_flag=True,
    help="Hold every record of the store against the digests that changes left in the evidence, too.",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint of the log that was kept elsewhere: the log must still begin so. Repeatable.",
)
@click.option(
    "--bundle",
    type=click.Path(exists=True, path_type=Path),
    help="Check this bundle in place of a data directory, by keystead-verify, which shares no code with the server.",
)
@click.option(
    "--vkey",
    "vkeys",
    multiple=True,
    help="With --bundle: the log's verifier key, known from elsewhere. Repeatable.",
)
@output_option
@click.pass_context
def verify(
    context: click.Context,
    *,
    data_dir: Path,
    passphrase_file: Path | None,
    journals_only: bool,
    state: bool,
    checkpoints: tuple[Path, ...],
    bundle: Path | None,
    vkeys: tuple[str, ...],
    output: str,
) -> None:
    """Check the whole evidence and every record of the store; also beside a running server.

    Checked are: that no record of a journal was changed, dropped or added; that each up to the log's head is in exactly one
    entry of the log, in order, which says what its records give, and no entry is without its records; that entries,
    tiles and the signed checkpoint fit together; that the store is not older than its evidence, and every stored record
    is the one last written; with --state, that nothing but recorded changes wrote to it. Each finding names the file, the record and the entry. That the newest of all was not cut
    off everywhere only somebody else can know: give --checkpoint, or ask a witness.

    Exit status: 0 all is in order, 1 something is not, 2 it could not be checked (bad option, no seal's key).
    """
    if bundle is not None:
        _refuse_with_bundle(context)
        sys.exit(_bundle(bundle, vkeys, output))
    if vkeys:
        raise click.UsageError("--vkey needs --bundle: a data directory has the log's keys")
    if not workers(data_dir) and not (data_dir / LOG).exists() and not exists(data_dir):
        raise Failed(f"{data_dir} holds no deployment, no journal and no log")
    if state and journals_only:
        raise click.UsageError("--state needs the store, which --journals-only leaves out")
    found = verified(data_dir, passphrase_file, checkpoints, journals_only=journals_only, state=state)
    if output == "json":
        show(found)
    else:
        _report(found)
    if found.findings:
        sys.exit(1)


def _refuse_with_bundle(context: click.Context) -> None:
    """Nothing, if no option was given that asks for more than a bundle holds."""
    for name in _NEED_DIRECTORY:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = next(param.opts[0] for param in context.command.params if param.name == name)
            raise click.UsageError(f"--bundle excludes {option}: a bundle holds the log alone")


def _bundle(bundle: Path, vkeys: tuple[str, ...], output: str) -> int:
    """The exit status of the independent verifier, which has told what it found."""
    known = itertools.chain.from_iterable(("--vkey", vkey) for vkey in vkeys)
    command = [sys.executable, "-m", "keystead_verify", "bundle", str(bundle), *known, "--output", output]
    return subprocess.run(command, check=False).returncode  # noqa: S603  this program's own verifier, no shell


def verified(
    directory: Path,
    passphrase_file: Path | None,
    checkpoints: tuple[Path, ...],
    *,
    journals_only: bool,
    state: bool,
) -> Verified:
    """What the command of that name prints.

    Raises:
        errors.OperatorError: the store cannot be opened or read.
    """
    kept = {str(path): _text(path) for path in checkpoints}
    with unpruned(directory):
        return _verified(directory, passphrase_file, kept, journals_only=journals_only, state=state)


def _verified(
    directory: Path,
    passphrase_file: Path | None,
    kept: Mapping[str, str],
    *,
    journals_only: bool,
    state: bool,
) -> Verified:
    checked, findings = _journals(directory)
    if journals_only:
        return Verified(journals=checked, findings=findings)
    anchor = max((journal.anchor for journal in checked), default=0)
    try:
        with opened(directory, the_seal(directory, passphrase_file)) as store:
            # The store first: what is found there must be told by the evidence as it is afterwards.
            check = _state_check(store) if state else None
            commit, stored = _store(store, anchor, check)
            log = log_checked(directory, store, kept, check)
            compared = _compared(check, store, log)
            gone = evidence_missing(directory, store)
    except errors.StorageTampered as error:
        return Verified(journals=checked, findings=(*findings, str(error)))
    found = [part.findings for part in (log, stored, compared) if part is not None]
    return Verified(
        journals=checked,
        log=log,
        commit=commit,
        store=stored,
        state=compared,
        findings=tuple(itertools.chain(findings, gone, *found)),
    )


def _state_check(store: Store) -> StateCheck | None:
    keys = known_log_keys(store)
    return None if keys is None else StateCheck(keys.digests, TABLES, store.commit_number)


def _store(store: Store, anchor: int, check: StateCheck | None) -> tuple[int, Verification]:
    """The store's commit and what was found in it; `check` hears of every record."""
    put_back: tuple[str, ...] = ()
    try:
        store.expect_at_least(anchor)
    except errors.StorageTampered as error:
        put_back = (str(error),)
    found = store.verify_all() if check is None else store.verify_all(check.stored)
    if check is not None:
        check.waiting(store)
    return store.commit_number, msgspec.structs.replace(found, findings=put_back + found.findings)


def _compared(check: StateCheck | None, store: Store, log: LogChecked | None) -> StateChecked | None:
    if check is None or log is None:
        return None
    keys = known_log_keys(store)
    return check.conclude(store.commit_number, partial=log.pruned > 0 or (keys is not None and keys.anew))


def _journals(directory: Path) -> tuple[tuple[journals.Checked, ...], tuple[str, ...]]:
    checked, findings = [], []
    for worker in workers(directory):
        try:
            checked.append(journals.check(directory, worker))
        except errors.JournalError as error:
            findings.append(str(error))
    return tuple(checked), tuple(findings)


def evidence_missing(directory: Path, store: Store) -> tuple[str, ...]:
    """A line for each part of the evidence that is not there and that the store knows of.

    Raises:
        errors.StorageError: the store cannot be read.
    """
    known = {worker: at.index for worker, at in store.transaction().scan(USES_UP_TO, "")}
    with contextlib.suppress(errors.JournalError):  # which the check of the journals tells
        return tuple(missing(directory, known_log_keys(store), known))
    return ()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}") from None


def log_checked(
    directory: Path,
    store: Store,
    kept: Mapping[str, str] = MappingProxyType({}),
    check: StateCheck | None = None,
) -> LogChecked | None:
    """What the log holds and how far it is right; None if no server has run on the deployment yet."""
    keys = known_log_keys(store)
    if keys is None:
        return None
    try:
        if check is None:
            return check_log(directory, keys, kept=kept)
        return check_log(directory, keys, kept=kept, visit=check.recorded)
    except OSError as error:
        return LogChecked(0, 0, 0, (f"{error.filename} cannot be read: {error.strerror}",))


def _report(found: Verified) -> None:
    for journal in found.journals:
        print(
            f"ok   journal {journal.worker}: {journal.events} events in {journal.segments} segments, chain unbroken"
        )
    if found.log is not None and not found.log.findings:
        waiting = f", {found.log.waiting} more records wait" if found.log.waiting else ""
        print(f"ok   log: {found.log.entries} entries as signed, each what its records give{waiting}")
        if found.log.pruned:
            print(f"ok   log: of {found.log.pruned} of them the records are pruned, as the log signed")
    if found.store is not None and not found.store.findings:
        print(f"ok   store: commit {found.commit}, {found.store.records} records as they were written")
    if found.state is not None and not found.state.findings:
        untold = f", {found.state.untold} by changes that are pruned or lost" if found.state.untold else ""
        print(
            f"ok   state: {found.state.records} records of {found.state.tables} tables as changes left them{untold}"
        )
    for finding in found.findings[:_MOST_SHOWN]:
        print(f"FAIL {finding}")
    if len(found.findings) > _MOST_SHOWN:
        print(f"FAIL and {len(found.findings) - _MOST_SHOWN} more")
