"""How far the published log is behind the journals: told by files, so that any worker can tell it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric

from keystead.api.measures import Numbers
from keystead.audit.logfiles import Head, LogFiles
from keystead.audit.published import Published
from keystead.errors import LogError

ENTRIES = "keystead_log_entries"
BEHIND = "keystead_log_behind_records"
AGE = "keystead_log_checkpoint_age_seconds"
LAG = "keystead_log_lag_seconds"


class Progress(msgspec.Struct, frozen=True):
    """What is published: entries, of each journal the records below an index, and since when (epoch seconds)."""

    entries: int = 0
    journals: dict[str, int] = {}
    since: float = 0.0

    def behind(self, numbers: Numbers) -> float:
        """How many of a worker's records are not in the log yet."""
        records = numbers.gauges.get("keystead_journal_records_total", 0.0)
        return max(0.0, records - self.journals.get(numbers.worker, 0))


def progress_of(directory: Path) -> Progress:
    """How far the log in the data directory is. Before its first checkpoint, since the journals are there."""
    files = LogFiles(directory)
    head: Head | None = None
    with suppress(LogError, OSError):
        head = files.head()
    since = 0.0
    with suppress(OSError):
        path = directory / "journal" if head is None else files.root / "head"
        since = path.stat().st_mtime
    if head is None:
        return Progress(since=since)
    try:
        return Progress(Published(files, head).size, head.journals, since)
    except (LogError, OSError):
        return Progress(since=since)


def metrics_of(
    progress: Progress, present: Iterable[Numbers], now: float, about: dict[str, str]
) -> Iterator[Metric]:
    """The metrics; `present` are the numbers of the workers that run."""
    behind = GaugeMetricFamily(BEHIND, about[BEHIND], labels=("worker",))
    waiting = 0.0
    for numbers in present:
        waiting += progress.behind(numbers)
        behind.add_metric((numbers.worker,), progress.behind(numbers))
    age = max(0.0, now - progress.since) if progress.since else 0.0
    yield behind
    yield GaugeMetricFamily(ENTRIES, about[ENTRIES], value=progress.entries)
    yield GaugeMetricFamily(AGE, about[AGE], value=age)
    yield GaugeMetricFamily(LAG, about[LAG], value=age if waiting else 0.0)
