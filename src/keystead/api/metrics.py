"""The numbers of all workers as one page for Prometheus. No names, contexts or plaintext are in labels.

A scrape reaches one worker, which tells what all of them counted: their sum, so that neither the number of workers nor
which of them was asked makes a difference. What belongs to one worker has the label `worker`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

import keystead
from keystead.api.log_lag import Progress, metrics_of
from keystead.api.measures import FRESH, SECONDS, SIZES, Board, Cell, Numbers, add, new_cell

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_LABEL: Final = {"keystead_keys": "state"}
"""The label of each metric of the census that has one."""


class Described(msgspec.Struct, frozen=True):
    """A metric as the page and the manual describe it; `labels` in order."""

    name: str
    kind: str
    about: str
    labels: tuple[str, ...] = ()


METRICS: Final = (
    Described(
        "keystead_calls_total", "counter", "API calls answered; `outcome` is `ok` or an error code.",
        ("service", "operation", "outcome"),
    ),
    Described(
        "keystead_call_duration_seconds", "histogram",
        "Time from a request's turn to its answer, evidence included.", ("service", "operation"),
    ),
    Described("keystead_commit_group_calls", "histogram", "Calls that were made durable together."),
    Described(
        "keystead_commit_duration_seconds", "histogram", "Time to make a group durable, store and journal."
    ),
    Described("keystead_journal_records_total", "counter", "Records in a worker's journal.", ("worker",)),
    Described("keystead_commit_waiting", "gauge", "Calls that wait to be made durable.", ("worker",)),
    Described(
        "keystead_ready", "gauge", "1 while a worker can write evidence and read the store.", ("worker",)
    ),
    Described("keystead_log_entries", "gauge", "Entries in the log, as its newest checkpoint tells; one may be of several records."),
    Described(
        "keystead_log_behind_records", "gauge", "Records of a worker's journal that are not in the log yet.",
        ("worker",),
    ),
    Described("keystead_log_checkpoint_age_seconds", "gauge", "Time since the log's newest checkpoint."),
    Described(
        "keystead_log_lag_seconds", "gauge",
        "The same while records wait to be in the log, else 0: grows if the log cannot be written.",
    ),
    Described("keystead_workers", "gauge", "Workers that have told their numbers lately."),
    Described("keystead_keys", "gauge", "KMS keys by state, counted by the leading worker.", ("state",)),
    Described("keystead_due_rows", "gauge", "Things that are to be looked at on a date."),
    Described("keystead_due_overdue_seconds", "gauge", "How late the oldest thing that is due is; 0 if none is."),
    Described("keystead_build_info", "gauge", "1, with the version that runs.", ("version",)),
)  # fmt: skip
"""Every metric that there is."""

_ABOUT: Final = {metric.name: metric.about for metric in METRICS}


class MetricsPage(Collector):
    """Renders the numbers of all workers; `now` tells this worker's own, `log` how far the log is."""

    def __init__(
        self, board: Board, now: Callable[[], Numbers], log: Callable[[], Progress] = Progress
    ) -> None:
        self._board = board
        self._now = now
        self._log = log

    def render(self) -> bytes:
        """The page. Takes milliseconds: a thread's work."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is shows when it is collected."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The numbers as Prometheus has them."""
        progress, mine = self._log(), self._now()
        self._board.publish(mine)
        everybody = [mine, *self._board.others()]
        present = [numbers for numbers in everybody if mine.time - numbers.time < FRESH]
        yield from _calls(everybody)
        yield from _groups(everybody)
        yield from _workers(present)
        yield from metrics_of(progress, present, mine.time, _ABOUT)
        yield from _census(everybody)
        build = GaugeMetricFamily("keystead_build_info", _ABOUT["keystead_build_info"], labels=("version",))
        build.add_metric((keystead.__version__,), 1)
        yield build


def _calls(everybody: Iterable[Numbers]) -> Iterator[Metric]:
    counts: dict[tuple[str, str, str], float] = {}
    durations: dict[tuple[str, str], Cell] = {}
    for numbers in everybody:
        for service, operation, outcome, cell in numbers.calls:
            place = (service, operation, outcome)
            counts[place] = counts.get(place, 0.0) + sum(cell[:-1])
            add(durations.setdefault((service, operation), new_cell(SECONDS)), cell)
    family = CounterMetricFamily(
        "keystead_calls", _ABOUT["keystead_calls_total"], labels=("service", "operation", "outcome")
    )
    for labels, count in counts.items():
        family.add_metric(labels, count)
    yield family
    name = "keystead_call_duration_seconds"
    histogram = HistogramMetricFamily(name, _ABOUT[name], labels=("service", "operation"))
    for where, cell in durations.items():
        histogram.add_metric(where, _buckets(cell, SECONDS), cell[-1])
    yield histogram


def _groups(everybody: Iterable[Numbers]) -> Iterator[Metric]:
    sizes, seconds = new_cell(SIZES), new_cell(SECONDS)
    for numbers in everybody:
        add(sizes, numbers.group_sizes)
        add(seconds, numbers.group_seconds)
    shown = (
        ("keystead_commit_group_calls", SIZES, sizes),
        ("keystead_commit_duration_seconds", SECONDS, seconds),
    )
    for name, bounds, cell in shown:
        histogram = HistogramMetricFamily(name, _ABOUT[name])
        histogram.add_metric((), _buckets(cell, bounds), cell[-1])
        yield histogram


def _buckets(cell: Cell, bounds: tuple[float, ...]) -> list[tuple[str, float]]:
    """Each upper bound with how many values are not above it, as Prometheus counts."""
    names = [*map(str, bounds), "+Inf"]
    return list(zip(names, accumulate(cell[:-1]), strict=True))


def _workers(present: list[Numbers]) -> Iterator[Metric]:
    """What is so now in each worker that is there."""
    for name in ("keystead_journal_records_total", "keystead_commit_waiting", "keystead_ready"):
        kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        family = kind(name, _ABOUT[name], labels=("worker",))
        for numbers in present:
            if name in numbers.gauges:
                family.add_metric((numbers.worker,), numbers.gauges[name])
        yield family
    yield GaugeMetricFamily("keystead_workers", _ABOUT["keystead_workers"], value=len(present))


def _census(everybody: list[Numbers]) -> Iterator[Metric]:
    """What is so now in the deployment, as whoever counted it last found it."""
    newest = max(everybody, key=lambda numbers: numbers.counted)
    for name, values in newest.census.items():
        label = _LABEL.get(name)
        family = GaugeMetricFamily(name, _ABOUT[name], labels=(label,) if label else ())
        for value, number in values.items():
            family.add_metric((value,) if label else (), number)
        yield family
