#!/usr/bin/env python3
"""What a record costs the log's process: `bench/log.py [--records 10000] [--rounds 7] [--at-once 2500]`.

Journals of synthetic events are taken into a new log, so many records for each checkpoint, and into a new index, by the
server's own code. Events are diverse (those of `audit_query.py`: 1,000 keys, 200 users, 5,000 contexts, ten in a second of
their time); or alike (one user, key, operation and context, 5,000 in a second); or mixed (three operations of one user with
one key by turns, with one context, or with a new one in each). The index is filled live, from what the log
hands to it after each checkpoint, as the process does it; and in bulk, when it reads the journals itself. Told is the least CPU time
of all rounds, in microseconds a record, syncs of files included. Then the log's steps, one after the other, each for all records: to
read and check groups, to make entries, to hash trees and put tiles together, and to write these.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import audit_query
from audit_query import event

from keystead.audit.filling import Filling
from keystead.audit.follow import parts
from keystead.audit.groups import Records
from keystead.audit.handed import Handed
from keystead.audit.index import Index
from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer, leaves_of
from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.tlog import append

KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), bytes(32))
GROUP = 32
"""Events that are written together."""
COLLECTOR = (50_000, 20, 100)
"""When the collector looks, as in the process."""
ALIKE = {"OPERATIONS": ("Encrypt",), "KEYS": 1, "USERS": 1, "TENANTS": 1, "CHANGES": 0, "REFUSALS": 0}
ALIKE |= {"PER_SECOND": 5000}
MIXED = ALIKE | {"OPERATIONS": ("Encrypt", "Decrypt", "GenerateDataKey")}
KINDS = {"diverse": {}, "alike": ALIKE, "mixed": MIXED, "mixed, new contexts": MIXED | {"TENANTS": 1 << 62}}
STEPS = ("read", "entries", "tree", "files")


def fill(root: Path, first: int, records: int) -> None:
    """None; the journal of worker w0 has so many more events."""
    chance, journal = random.Random(first), Journal.open(root, "w0")
    for start in range(first, first + records, GROUP):
        some = min(GROUP, first + records - start)
        journal.append([event(start + number, chance) for number in range(some)])
    journal.abandon()


class Process:
    """What the log's process does, step by step."""

    def __init__(self, root: Path) -> None:
        self._limit = 0
        handed = Handed(partial(parts, root))
        self._sequencer = Sequencer(root, KEYS, lambda _: self._limit, hand=handed.hand)
        self._index = Filling(Index(root), handed.parts)

    def run(self, records: int, at_once: int) -> tuple[float, float]:
        """The CPU time that log and index take for so many records, in seconds."""
        log = index = 0.0
        records += self._limit
        while self._limit < records:
            self._limit += at_once
            log += spent(self._sequencer.run)
            index += spent(lambda: self._index.catch_up(at_once))
        return log, index

    def close(self) -> None:
        """None; files are closed."""
        self._index.close()


def steps_of(root: Path, records: int) -> list[float]:
    """The CPU time of each of `STEPS` for the first records of the journal, in microseconds a record."""
    found, leaves, files = [], [], LogFiles(root / "steps")
    times = [spent(lambda: found.extend(parts(root, "w0", None, None, records)))]
    rows = [part.records for part in found if part.records is not None]
    count = sum(len(each.texts) for each in rows)
    times.append(spent(lambda: [leaves.extend(_leaves(each)) for each in rows]))
    growths = []
    times.append(spent(lambda: growths.append(append(0, files.read, leaves))))
    times.append(spent(lambda: files.write(growths[0].writes)))
    return [each / count * 1e6 for each in times]


def _leaves(records: Records) -> list[bytes]:
    return leaves_of(records, "w0", 0, len(records.texts), KEYS.salts)


def spent(work: Callable[[], object]) -> float:
    """Seconds of CPU time."""
    began = time.process_time()
    work()
    return time.process_time() - began


def round_of(records: int, at_once: int) -> tuple[float, ...]:
    """The CPU time of log, index and index in bulk, then that of `STEPS`, in microseconds a record."""
    with tempfile.TemporaryDirectory(prefix="keystead-bench-") as name:
        root = Path(name)
        process = Process(root)
        fill(root, 0, 1)
        process.run(1, 1)  # files are made
        fill(root, 1, records)
        live = process.run(records, at_once)
        process.close()
        Index(root).path.unlink()
        told = [each / records * 1e6 for each in (*live, spent(Index(root).catch_up))]
        return (*told, *steps_of(root, records))


def main() -> None:
    """None; the figures are on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--at-once", type=int, default=2500)
    given = parser.parse_args()
    gc.set_threshold(*COLLECTOR)
    usual = {name: getattr(audit_query, name) for name in ALIKE}
    for kind, changed in KINDS.items():
        for name, value in (usual | changed).items():
            setattr(audit_query, name, value)
        rounds = [round_of(given.records, given.at_once) for _ in range(given.rounds)]
        log, live, bulk, *steps = map(min, zip(*rounds, strict=True))
        told = ", ".join(f"{name} {each:.1f}" for name, each in zip(STEPS, steps, strict=True))
        print(f"{kind}: log {log:.1f} ({told}), index {live:.1f} (in bulk {bulk:.1f}) us of CPU a record")


if __name__ == "__main__":
    main()
