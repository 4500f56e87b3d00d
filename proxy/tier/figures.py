"""What a tier counts, under the names that a proxy's metrics have."""

from __future__ import annotations

import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Figures:
    """Of one process; in a folder for several, where the environment names one."""

    def __init__(self, queued_tokens: Callable[[], int]) -> None:
        """queued_tokens: estimated tokens under way."""
        self._queued_tokens = queued_tokens
        self._registry = CollectorRegistry()
        self._texts = Counter("moos_tier_texts", "Texts by outcome.", ["outcome"], registry=self._registry)
        self._seconds = Histogram(
            "moos_compression_seconds",
            "Time that a text spent in compression.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._queued = Gauge(
            "moos_queued_tokens",
            "Estimated tokens of texts that wait for the compressor or are in it.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )

    def note(self, outcome: str) -> None:
        """A text that was not compressed, and why."""
        self._texts.labels(outcome).inc()
        self.settle()

    def done(self, seconds: float) -> None:
        """A text that was compressed."""
        self._seconds.observe(seconds)
        self.note("compressed")

    def settle(self) -> None:
        """The gauge as it is now: another worker may be asked for it."""
        self._queued.set(self._queued_tokens())

    def exposition(self) -> bytes:
        """Prometheus's text format, of all worker processes if there are several."""
        self.settle()
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
