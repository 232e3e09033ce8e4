"""Counts of calls, rendered for Prometheus. No names, contexts or plaintext are in labels."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class CallCounter(Collector):
    """How many calls there were, by service, operation and outcome."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], int] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def count(self, service: str, operation: str, outcome: str) -> None:
        """One more call; `outcome` is `ok` or an error code. Called on the event loop's thread only."""
        place = (service, operation, outcome)
        self._counts[place] = self._counts.get(place, 0) + 1

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The counts as Prometheus has them."""
        family = CounterMetricFamily(
            "keystead_calls", "API calls answered.", labels=("service", "operation", "outcome")
        )
        for labels, number in list(self._counts.items()):
            family.add_metric(labels, number)
        yield family

    def render(self) -> bytes:
        """The metrics page."""
        return generate_latest(self._registry)
