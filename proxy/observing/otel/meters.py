"""What /metrics shows, as OpenTelemetry's instruments: counts are read when they are sent, times once noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from prometheus_client import CollectorRegistry

from moosproxy.proxy.observing.metrics import Metrics

_SECONDS = "_seconds"


def mirror(metrics: Metrics, meter: Meter) -> None:
    """Every counter, gauge and histogram of this process, those too that are added to `Metrics` later on.

    `moos_requests_total` is `moos.requests`, `moos_proxy_seconds` is `moos.proxy` in seconds: a Prometheus that
    takes OTLP has the same names again, so that dashboard and alerts fit both ways.
    """
    for family in list(metrics.registry.collect()):
        name, said = family.name.replace("_", ".", 1), family.documentation
        if family.type == "counter":
            read = _reader(metrics.registry, f"{family.name}_total")
            meter.create_observable_counter(name, [read], description=said)
        elif family.type == "gauge":
            read = _reader(metrics.registry, family.name)
            meter.create_observable_gauge(name, [read], description=said)
    for timed in metrics.timed:
        name = timed.name.removesuffix(_SECONDS).replace("_", ".", 1)
        histogram = meter.create_histogram(
            name, "s", timed.said, explicit_bucket_boundaries_advisory=timed.buckets
        )
        timed.also.append(histogram.record)


def _reader(registry: CollectorRegistry, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return partial(_observed, registry, name)


def _observed(registry: CollectorRegistry, name: str, _: CallbackOptions) -> list[Observation]:
    families = registry.restricted_registry([name]).collect()
    return [Observation(sample.value, sample.labels) for family in families for sample in family.samples]
