"""Prometheus metrics. Labels come from the configuration or from fixed sets; models are the first hundred."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from moosproxy.proxy.observing.names import Few, model_name
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.upstreams.usage import Usage

if TYPE_CHECKING:
    from moosproxy.proxy.observing.record import Record

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SAMPLES_HELD = 100
_SHARE_EVERY_S = 1.0
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


def several_workers() -> bool:
    """Whether worker processes put their metrics together, in a folder that `moos serve` names."""
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ


class Timed:
    """A histogram of seconds. also: what else is told of each value, with its labels."""

    def __init__(
        self, name: str, said: str, buckets: tuple[float, ...], registry: CollectorRegistry, label: str = ""
    ) -> None:
        """said: what it holds, for people. label: the name of its only label, empty for none."""
        self.name, self.said, self.buckets = name, said, buckets
        self.also: list[Callable[[float, dict[str, str]], None]] = []
        self._label = label
        self._whole = Histogram(name, said, [label] if label else [], buckets=buckets, registry=registry)
        self._children: dict[str, Histogram] = {}

    def observe(self, value: str, seconds: float) -> None:
        """value: the label's."""
        child = self._children.get(value)
        if child is None:
            child = self._children[value] = self._whole.labels(value) if self._label else self._whole
        child.observe(seconds)
        for tell in self.also:
            tell(seconds, {self._label: value} if self._label else {})


class Metrics:
    """All counters of one application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "moos_requests",
            "Requests answered.",
            ["endpoint", "status", "team", "policy", "model", "door", "route"],
            registry=registry,
        )
        self._parts = Counter(
            "moos_parts",
            "Text parts by outcome: compressed, or why not; requests that were not looked into as endpoint.",
            ["outcome"],
            registry=registry,
        )
        self._tokens = Counter(
            "moos_tokens",
            "Tokens of text parts before and after compression, of requests that an upstream took.",
            ["when", "team", "model", "door", "route"],
            registry=registry,
        )
        self._hits = Counter("moos_cache_hits", "Parts found in a cache.", ["layer"], registry=registry)
        self._faults = Counter(
            "moos_shared_cache_faults", "Faults of the shared cache.", ["layer", "kind"], registry=registry
        )
        self._tier_faults = Counter(
            "moos_tier_faults", "Faults of the compressor tier.", ["kind"], registry=registry
        )
        self._fallbacks = Counter(
            "moos_tier_fallbacks", "Texts that the compressor tier did not take.", ["to"], registry=registry
        )
        self._limited = Counter(
            "moos_limited", "Requests refused by a limit or a budget.", ["team", "bound"], registry=registry
        )
        self._warnings = Counter(
            "moos_budget_warnings", "Answers that warned of a budget.", ["team", "bound"], registry=registry
        )
        self._alone = Counter(
            "moos_limits_alone", "Times that a worker began to count limits for itself.", registry=registry
        )
        self._compression = Timed(
            "moos_compression_seconds", "Time that a request spent in compression.", _FAST, registry
        )
        self._overhead = Timed(
            "moos_proxy_seconds",
            "Time that a request spent in the proxy, without the upstream and without compression.",
            _FAST,
            registry,
        )
        self._upstream = Timed(
            "moos_upstream_first_byte_seconds",
            "From sending to the head of the upstream's answer.",
            _SLOW,
            registry,
            label="upstream",
        )
        self._way = Timed(
            "moos_tier_way_seconds", "Time of a text to the compressor tier and back.", _FAST, registry
        )
        self.timed = (self._compression, self._overhead, self._upstream, self._way)
        self._attempts = Counter(
            "moos_upstream_attempts",
            "Calls to an upstream by outcome.",
            ["upstream", "outcome"],
            registry=registry,
        )
        self._provider = Counter(
            "moos_provider_tokens",
            "Tokens as the provider reports them.",
            ["kind", "upstream", "model"],
            registry=registry,
        )
        self._lost = Counter(
            "moos_ledger_lost_rows", "Requests that are missing in the ledger.", registry=registry
        )
        self._gone = Counter("moos_client_disconnects", "Clients that left early.", registry=registry)
        self._in_flight = Gauge(
            "moos_requests_in_flight", "Requests being answered.", registry=registry, multiprocess_mode="livesum"
        )
        self.in_flight = 0
        """Requests being answered, counted by whoever answers them."""
        self._counters: dict[str, Counter] = {
            "requests": self._requests,
            "parts": self._parts,
            "tokens": self._tokens,
            "hits": self._hits,
            "faults": self._faults,
            "tier": self._tier_faults,
            "fallbacks": self._fallbacks,
            "attempts": self._attempts,
            "provider": self._provider,
            "gone": self._gone,
            "limited": self._limited,
            "warnings": self._warnings,
            "alone": self._alone,
            "lost": self._lost,
        }
        self._counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self._samples: list[tuple[Timed, str, float]] = []
        self._models = Few()

    def attempt(self, upstream: str, outcome: str, seconds: float) -> None:
        """One call to an upstream."""
        self._counts["attempts", upstream, outcome] += 1
        self._samples.append((self._upstream, upstream, seconds))

    def shared_cache_fault(self, layer: str, kind: str) -> None:
        """The shared cache did not do what it should; the request went on without it."""
        self._counts["faults", layer, kind] += 1

    def tier_fault(self, kind: str) -> None:
        """Something is wrong with a replica of the compressor tier, or with the way to it."""
        self._counts["tier", kind] += 1

    def tier_fallback(self, to: str) -> None:
        """A text went to the local model, or out as it came, because no replica took it."""
        self._counts["fallbacks", to] += 1

    def tier_way(self, seconds: float) -> None:
        """A text went to the compressor tier and back in so much more than its compression took."""
        self._samples.append((self._way, "", seconds))

    def limited(self, team: str | None, bound: str) -> None:
        """A request was refused. bound: the field that says how much."""
        self._counts["limited", team or "", bound] += 1

    def budget_warning(self, team: str | None, bound: str) -> None:
        """An answer warned of a budget."""
        self._counts["warnings", team or "", bound] += 1

    def limits_alone(self) -> None:
        """What workers share limits in does not answer: this one takes its share of them."""
        self._counts[("alone",)] += 1

    def ledger_lost(self, rows: int) -> None:
        """Requests that are missing in the ledger."""
        self._counts[("lost",)] += rows

    def usage(self, upstream: str, usage: Usage, model: str | None) -> None:
        """What the provider reported. model: as the request names it."""
        named = self._models.of(model_name(model), new=True)
        self._counts["provider", "prompt", upstream, named] += usage.prompt
        self._counts["provider", "completion", upstream, named] += usage.completion
        self._counts["provider", "cached", upstream, named] += usage.cached
        if usage.written:
            self._counts["provider", "written", upstream, named] += usage.written
        if usage.reasoning:
            self._counts["provider", "reasoning", upstream, named] += usage.reasoning

    def finished(self, record: Record) -> None:
        """Everything that a request's record says."""
        counts, team = self._counts, record.team or ""
        model = self._models.of(model_name(record.model), new=record.usage is not None)
        where = model, record.door, record.route or ""
        counts["requests", record.endpoint, str(record.status), team, record.policy or "", *where] += 1
        self._samples.append((self._overhead, "", record.proxy_s))
        if record.disconnected:
            counts[("gone",)] += 1
        for outcome, number in record.outcomes.items():
            counts["parts", outcome] += number
        if record.unseen:
            counts["parts", SkipReason.ENDPOINT] += 1
        if record.parts:
            for part in record.parts:
                if part.cache:
                    counts["hits", part.cache] += 1
            if record.answered:
                counts["tokens", "before", team, *where] += record.tokens_before
                counts["tokens", "after", team, *where] += record.tokens_after
                if record.shadow_after is not None:
                    counts["tokens", "shadow", team, *where] += record.shadow_after
            self._samples.append((self._compression, "", record.compression_ms / 1000))
        if len(self._samples) >= _SAMPLES_HELD:
            self.settle()

    def settle(self) -> None:
        """Hands on what was gathered: the client library locks and checks on every count, which would show."""
        self._in_flight.set(self.in_flight)
        counts, self._counts = self._counts, defaultdict(int)
        for (name, *labels), amount in counts.items():
            counter = self._counters[name]
            (counter.labels(*labels) if labels else counter).inc(amount)
        samples, self._samples = self._samples, []
        for timed, label, value in samples:
            timed.observe(label, value)

    async def share(self) -> None:
        """Hands on what was gathered every second, for ever: a scrape may reach another worker than this one."""
        while True:
            await asyncio.sleep(_SHARE_EVERY_S)
            self.settle()

    def exposition(self, team: str | None = None) -> bytes:
        """Prometheus's text format, of all worker processes if there are several. team: only what is its."""
        self.settle()
        registry = self.registry
        if several_workers():
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry if team is None else _OfTeam(registry, team))


class _OfTeam(CollectorRegistry):
    """What a registry holds under one team's label; figures of everybody are not among it."""

    def __init__(self, whole: CollectorRegistry, team: str) -> None:
        super().__init__()
        self._whole = whole
        self._team = team

    def collect(self) -> Iterator[Metric]:
        for found in self._whole.collect():
            own = [sample for sample in found.samples if sample.labels.get("team") == self._team]
            if own:
                kept = Metric(found.name, found.documentation, found.type)
                kept.samples = own
                yield kept
