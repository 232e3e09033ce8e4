"""What a worker counts while it works: lists of numbers, so that a call pays a fraction of a microsecond for it.

Nothing here is locked. The loop's thread counts calls, the writer's thread counts groups, and whoever shows the
numbers may see a call that is half counted, which the next look makes good.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from pathlib import Path
from typing import Final

import msgspec
import structlog

log = structlog.get_logger("keystead.metrics")

SECONDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
)  # fmt: skip
"""Upper bounds of the buckets of durations."""
SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0)
"""Upper bounds of the buckets of group sizes, in calls."""
FRESH: Final = 10.0
"""Seconds after which a worker that has not published is taken for gone."""

Cell = list[float]
"""The count of each bucket, of what lies beyond the last, and at the end the sum of all values."""


def new_cell(bounds: tuple[float, ...]) -> Cell:
    """A histogram of nothing."""
    return [0.0] * (len(bounds) + 2)


def add(total: Cell, part: Cell) -> None:
    """None; `total` holds what `part` holds as well."""
    for place, number in enumerate(part):
        total[place] += number


class Numbers(msgspec.Struct, kw_only=True):
    """One worker's numbers at `time` (epoch seconds), as its file holds them.

    Attributes:
        calls: a histogram of durations in seconds for each service, operation and outcome.
        group_sizes: calls of each group that was made durable together.
        group_seconds: how long that took, store and journal.
        gauges: what is so now in this worker, by the metric's name.
        census: what is so now in the deployment, by the metric's name and its one label; counted at `counted`.
    """

    worker: str
    time: float
    calls: list[tuple[str, str, str, Cell]] = []
    group_sizes: Cell = msgspec.field(default_factory=lambda: new_cell(SIZES))
    group_seconds: Cell = msgspec.field(default_factory=lambda: new_cell(SECONDS))
    gauges: dict[str, float] = {}
    census: dict[str, dict[str, float]] = {}
    counted: float = 0.0


class Measures:
    """Counts what this worker does; it goes on from the numbers that the worker of that name had before."""

    def __init__(self, before: Numbers | None = None) -> None:
        self._calls: dict[tuple[str, str, str], Cell] = {}
        self.group_sizes, self.group_seconds = new_cell(SIZES), new_cell(SECONDS)
        if before is not None:
            self._calls = {(service, name, outcome): cell for service, name, outcome, cell in before.calls}
            self.group_sizes, self.group_seconds = before.group_sizes, before.group_seconds

    def call(self, service: str, operation: str, outcome: str, seconds: float) -> None:
        """One more call; `outcome` is `ok` or an error code. Called on the event loop's thread only."""
        try:
            cell = self._calls[service, operation, outcome]
        except KeyError:
            cell = self._calls[service, operation, outcome] = new_cell(SECONDS)
        cell[bisect_left(SECONDS, seconds)] += 1.0
        cell[-1] += seconds

    def group(self, calls: int, seconds: float) -> None:
        """One more group of calls made durable together. Called on the writer's thread only."""
        self.group_sizes[bisect_left(SIZES, calls)] += 1.0
        self.group_sizes[-1] += calls
        self.group_seconds[bisect_left(SECONDS, seconds)] += 1.0
        self.group_seconds[-1] += seconds

    def calls(self) -> list[tuple[str, str, str, Cell]]:
        """The histograms so far."""
        return [(*place, cell) for place, cell in list(self._calls.items())]


class Board:
    """Where workers read each other's numbers: one small file each, replaced as a whole.

    A number that was shown is published first, so that no later look at another worker shows less.
    """

    def __init__(self, directory: Path, worker: str) -> None:
        self._directory = directory / "metrics"
        self._worker = worker

    def publish(self, numbers: Numbers) -> None:
        """None; others see the numbers. A disk that refuses is told in the log: counting goes on."""
        path = self._directory / f"{self._worker}.tmp"
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.msgpack.encode(numbers))
            path.replace(self._directory / self._worker)
        except OSError as error:
            log.warning("numbers cannot be shared", reason=error.strerror)

    def mine(self) -> Numbers | None:
        """What the worker of this name published last, None if nothing usable."""
        return _read(self._directory / self._worker)

    def others(self) -> list[Numbers]:
        """What other workers published last, those that are gone too: what they counted was done."""
        try:
            names = sorted(path for path in self._directory.iterdir() if not path.suffix)
        except OSError:
            return []
        found = (_read(path) for path in names if path.name != self._worker)
        return [numbers for numbers in found if numbers is not None]


def _read(path: Path) -> Numbers | None:
    try:
        numbers = msgspec.msgpack.decode(path.read_bytes(), type=Numbers)
    except (OSError, msgspec.MsgspecError):
        return None
    fits = len(numbers.group_sizes) == len(SIZES) + 2 and len(numbers.group_seconds) == len(SECONDS) + 2
    return numbers if fits and all(len(cell) == len(SECONDS) + 2 for *_, cell in numbers.calls) else None
