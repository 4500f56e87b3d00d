"""The last requests of this process: counts and names, never a text. Gone with the process."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from time import perf_counter, time
from typing import Any, NamedTuple

from moosproxy.proxy.observing.names import model_name
from moosproxy.proxy.observing.record import Record

HELD = 200


class Seen(NamedTuple):
    """One request. at: Unix seconds of its end. seconds: that it took. Names are from the
    configuration, but the model's, which looks like one."""

    at: float
    request_id: str
    team: str | None
    endpoint: str
    model: str
    route: str | None
    policy: str | None
    upstream: str | None
    status: int
    error: str | None
    stream: bool
    tokens_before: int
    tokens_after: int
    compression_ms: float
    seconds: float
    outcomes: Mapping[str, int]


class Recent:
    """A ring: whoever comes last takes the place of whoever came first."""

    def __init__(self, held: int = HELD) -> None:
        self._ring: deque[Seen] = deque(maxlen=held)

    def add(self, record: Record) -> None:
        """A request that has been answered. The record itself is not held: its parts may be many."""
        self._ring.append(
            Seen(
                time(),
                record.request_id,
                record.team,
                record.endpoint,
                model_name(record.model),
                record.route,
                record.policy,
                record.upstream,
                record.status,
                record.error,
                record.stream,
                record.tokens_before,
                record.tokens_after,
                record.compression_ms,
                perf_counter() - record.started,
                record.outcomes,
            )
        )

    def last(self, team: str | None = None) -> list[dict[str, Any]]:
        """The latest first. team: only of this one, None for all."""
        return [seen._asdict() for seen in reversed(self._ring) if team is None or seen.team == team]
