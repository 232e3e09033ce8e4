"""`keystead audit prove` and `keystead audit export --bundle`: evidence for somebody who checks it without Keystead."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from keystead.audit.bundle import ALL, EVENT, chosen, events_of, pack
from keystead.audit.index import Index
from keystead.audit.logfiles import LogFiles
from keystead.audit.published import Published, named
from keystead.audit.query import Filter, find
from keystead.audit.terms import read_event
from keystead.cli.deployment import data_dir_option, passphrase_option, soon
from keystead.cli.events import current_index
from keystead.cli.log import log_keys
from keystead.cli.output import Failed, write_private
from keystead.tlog import Opening, Salts

F = TypeVar("F", bound=Callable[..., Any])

_NUMBER: Final = re.compile("[0-9]{1,18}")
_EVENT_ID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COMPRESSED: Final = (".gz", ".tgz")


def _entry(_context: click.Context, _parameter: click.Parameter, text: str) -> int | str:
    """The number of an entry, or the id of an event."""
    if _NUMBER.fullmatch(text):
        return int(text)
    if not _EVENT_ID.fullmatch(text):
        raise click.BadParameter(f"{text!r} is neither the number of an entry nor the id of an event")
    return text


def _what(_context: click.Context, _parameter: click.Parameter, texts: Sequence[str]) -> Sequence[str]:
    for text in texts:
        if text not in {EVENT, ALL} and not text.startswith("/"):
            raise click.BadParameter(f"{text!r} is neither `event`, nor `all`, nor a pointer such as /caller")
    return texts


open_option: Final = click.option(
    "--open",
    "wanted",
    multiple=True,
    callback=_what,
    help="What to show: `event` (all of it), `all` (it and each value), or a pointer such as /caller or "
    "/requestParameters/encryptionContext/0. Repeatable.",
)


@click.command()
@click.argument("entry", callback=_entry)
@data_dir_option
@passphrase_option
@open_option
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; stdout without it."
)
def prove(
    *,
    entry: int | str,
    data_dir: Path,
    passphrase_file: Path | None,
    wanted: Sequence[str],
    out: Path | None,
) -> None:
    """Prove that ENTRY, the number of an entry or the id of an event, is in the log; also beside a running server.

    What is written is a receipt, which `keystead-verify receipt FILE --vkey KEY` checks anywhere. It names nobody but
    by what --open shows, for which the seal is needed. Events that differ in their ids alone share an entry: by its number
    all of them are shown, by its id an event alone.
    """
    log, number, record = (
        (newest(data_dir), entry, None) if isinstance(entry, int) else _of_event(data_dir, entry)
    )
    if number >= log.size:
        raise Failed(f"the log has {log.size} entries, the last of them is number {log.size - 1}")
    proof = log.prove(number)
    if wanted:
        salts = log_keys(data_dir, passphrase_file).salts
        shown = _shown(events_of(data_dir, proof.leaf, record), proof.leaf, number, salts, wanted)
        proof = msgspec.structs.replace(proof, openings=shown)
    text = msgspec.json.format(msgspec.json.encode(proof), indent=2)
    if out is None:
        print(text.decode())
    else:
        write_private(out, text + b"\n")


def newest(directory: Path) -> Published:
    """The log as of now; a server that runs may begin it just now.

    Raises:
        Failed: there is none.
        errors.LogError: it is damaged.
    """
    log = soon(directory, lambda: Published.newest(LogFiles(directory)))
    if log is None:
        raise Failed(f"{directory} has no log yet: no server has run on it")
    return log


def _of_event(directory: Path, event_id: str) -> tuple[Published, int, int]:
    """A log that has the event's entry, the entry's number, and that of the event's record.

    Raises:
        Failed: there is none.
        errors.OperatorError: the log, a journal or the index cannot be read.
    """
    found = next(find(current_index(directory), Filter(event_id=event_id)), None)
    if found is None:  # its journal's segment may be gone
        log = newest(directory)
        placed = _placed(log, log.places([event_id]).get(event_id))
    else:
        journal, index = found.journal, found.index
        placed = soon(directory, lambda: _placed(log := newest(directory), log.place(journal, index)))
    if placed is None:
        raise Failed(f"the log does not show event {event_id}" + ("" if found is None else " yet"))
    log, number = placed
    return log, number, named(log.entry(number)).record(event_id) if found is None else found.index


def _placed(log: Published, number: int | None) -> tuple[Published, int] | None:
    return None if number is None else (log, number)


def _shown(
    events: Sequence[bytes], entry: bytes, number: int, salts: Salts, wanted: Sequence[str]
) -> list[Opening]:
    """The openings that are wanted.

    Raises:
        Failed: the entry commits to nothing at one of the pointers.
        errors.LogError: the entry is damaged.
    """
    for pointer in wanted:
        if not chosen(events, entry, number, salts, [pointer]):
            others = (one.pointer for one in chosen(events[:1], entry, number, salts, [ALL])[1:])
            known = ", ".join(others) or "its event"
            raise Failed(f"entry {number} commits to nothing at {pointer}, but to {known}")
    return chosen(events, entry, number, salts, wanted)


# ----------------------------------------------------------------------------- bundles


def write_bundle(
    directory: Path, path: Path, asked: Filter, wanted: Sequence[str], passphrase_file: Path | None
) -> str:
    """What was written, in words. The file is there as a whole, or not at all.

    Raises:
        Failed: there is no log, or the file cannot be written.
        errors.OperatorError: the log, a journal, the index or the store cannot be read.
    """
    keys = log_keys(directory, passphrase_file)
    index = current_index(directory) if wanted else None
    log = newest(directory)
    shown = () if index is None else _opened(log, index, asked, wanted, keys.salts)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    vkey = keys.signer(keys.origin(None)).key
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            count = pack(file, log, vkey, shown, compress=path.name.endswith(_COMPRESSED))
        fresh.rename(path)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            fresh.unlink()
    return f"{log.size} entries and {count} openings in {path}"


def _opened(
    log: Published, index: Index, asked: Filter, wanted: Sequence[str], salts: Salts
) -> Iterator[Opening]:
    """The openings of all events that match and are in the log, oldest first; those of one entry stand together."""
    names = {read_event(found.payload).eventID for found in find(index, asked)}
    places = log.places(names)
    events = (found.payload for found in find(index, asked, newest_first=False))
    # Events that share an entry are of one second and journal, so they come one after the other.
    for number, shared in groupby(events, lambda event: places.get(read_event(event).eventID)):
        if number is not None:
            yield from chosen(shared, log.entry(number), number, salts, wanted)
