#!/usr/bin/env python3
"""What more workers would do, by a model fed with measured times: `bench/workers_model.py --request 120 --entry 40`.

Assumptions, none of which this program can check:

* each worker has a core of its own, and connections are spread evenly over the workers;
* a request takes `--request` µs of CPU, exponentially distributed about that mean: the worst case of the usual ones;
* the leading worker also takes `--entry` µs for each entry of the log, of all workers, and gives calls their turn first only
  as far as the interpreter's lock does, so both compete for its core;
* the disk takes `--sync` µs a group, for each worker apart, and never is what limits;
* changes of state are not modelled: they go through one writer, and uses of keys do not.

Each worker is a queue with one server. The highest rate is where the leader's core is full; latency is simulated at
`--load` of that rate.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys

ARRIVALS = 40_000


def highest(workers: int, request: float, entry: float, *, apart: bool) -> float:
    """Requests a second at which the first core is full."""
    spread = workers / request
    if apart:
        return min(spread, 1 / entry)
    return 1 / (request / workers + entry)


def latencies(rate: float, request: float, entry: float, sync: float, chance: random.Random) -> list[float]:
    """Seconds that requests spend at one worker; `entry` is the work for the log beside each of them."""
    free, now, spent = 0.0, 0.0, []
    for _ in range(ARRIVALS):
        now += chance.expovariate(rate)
        free = max(free, now) + chance.expovariate(1 / request) + entry
        spent.append(free - now + sync)
    return spent


def main() -> int:
    """0; the table is on stdout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--request", type=float, required=True, help="microseconds of CPU, without the log's")
    parser.add_argument(
        "--entry", type=float, required=True, help="microseconds of CPU of an entry of the log"
    )
    parser.add_argument("--sync", type=float, default=150, help="microseconds of a group's sync")
    parser.add_argument("--load", type=float, default=0.7)
    given = parser.parse_args()
    request, entry, sync = given.request / 1e6, given.entry / 1e6, given.sync / 1e6
    chance = random.Random(1)
    print(
        f"{'workers':>7s} {'per second':>11s} {'times one':>9s} {'p50 ms':>7s} {'p99 ms':>7s} {'log apart':>11s}"
    )
    one = highest(1, request, entry, apart=False)
    for workers in (1, 2, 4, 8, 16):
        most = highest(workers, request, entry, apart=False)
        rate = most * given.load / workers
        # The leader's queue: its own requests, and for each of them the entries of all workers.
        spent = sorted(latencies(rate, request, entry * workers, sync, chance))
        p50, p99 = statistics.median(spent) * 1e3, spent[len(spent) * 99 // 100] * 1e3
        apart = highest(workers, request, entry, apart=True)
        print(f"{workers:7d} {most:11,.0f} {most / one:9.2f} {p50:7.2f} {p99:7.2f} {apart:11,.0f}")
    print("p50 and p99: of the leading worker. 'log apart': if the log were written on a core of its own.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
