#!/usr/bin/env python3
"""What a record costs the log's process: `bench/log.py [--records 10000] [--rounds 7] [--at-once 2500]`.

A journal of synthetic events (those of `audit_query.py`: 1,000 keys, 200 users) is taken into a new log, so many records
for each checkpoint, and into a new index, by the server's own code. Told is the least CPU time of all rounds, in
microseconds a record, syncs of files included.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from audit_query import GROUP, event

from keystead.audit.index import Index
from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logkeys import LogKeys

KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), bytes(32))


def fill(root: Path, records: int) -> None:
    """None; the journal of worker w0 has so many events."""
    chance, journal = random.Random(1), Journal.open(root, "w0")
    for start in range(0, records, GROUP):
        journal.append([event(start + number, chance) for number in range(min(GROUP, records - start))])
    journal.abandon()


def cost(records: int, work: Callable[[], object]) -> float:
    """Microseconds of CPU a record."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / records * 1e6


def sequence(root: Path, records: int, at_once: int) -> None:
    """None; the log has all, after as many checkpoints as it takes."""
    limit = 0
    sequencer = Sequencer(root, KEYS, lambda _: limit)
    while limit < records:
        limit += at_once
        sequencer.run()


def main() -> None:
    """None; the figures are on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--at-once", type=int, default=2500)
    given = parser.parse_args()
    log, index = [], []
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory(prefix="keystead-bench-") as name:
            root = Path(name)
            fill(root, given.records)
            log.append(cost(given.records, lambda: sequence(root, given.records, given.at_once)))  # noqa: B023
            index.append(cost(given.records, Index(root).catch_up))
    print(f"log {min(log):.1f}, index {min(index):.1f} us of CPU a record")


if __name__ == "__main__":
    main()
