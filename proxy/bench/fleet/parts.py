"""What the model is about: a fleet, its parts, and what came of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Dispatch = Literal["told", "own", "two", "least"]


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many there are, and how they are told to behave.

    dispatch: of a text to a replica. `told`: of two random ones who has less to do by what each said in the last
    second and what this proxy asked it since, as a proxy does it. `own`: who has least to do for this proxy, which
    knows nothing of the others. `two`: as `told`, with what each has at this very moment. `least`: of all, which
    is as one queue.
    queued_tokens: a replica that the autoscaler aims at; 0 has none.
    lost: (second, replicas that are killed then, seconds until others are ready); lost_proxies: the same.
    """

    proxies: int = 1
    replicas: int = 1
    dispatch: Dispatch = "told"
    deadline_s: float = 5.0
    queued_tokens: int = 0
    most_replicas: int = 100_000
    pod_s: float = 30.0
    lost: tuple[float, int, float] | None = None
    lost_proxies: tuple[float, int, float] | None = None


@dataclass(slots=True)
class Proxy:
    """When its event loop is free again, whether it was killed, and tokens by replica: those that it waits for,
    and those that it has asked for since the last probe."""

    free: float = 0.0
    dead: bool = False
    asked: dict[int, float] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class Replica:
    """When its two stages are free again, and what it holds: by number. queued: tokens; told: at the last
    probe."""

    number: int
    text_free: float = 0.0
    model_free: float = 0.0
    queued: float = 0.0
    told: float = 0.0
    held: dict[int, Text] = field(default_factory=dict)


@dataclass(slots=True)
class Text:
    """A text on its way. service: the seconds it would take alone."""

    arrived: float
    proxy: Proxy
    tokens: float
    service: float


@dataclass(slots=True)
class Outcome:
    """Counts of all requests; times in seconds of those that came after the start-up.

    ended: how requests ended here: untouched and compressed; refused and given_up, which go out as they came for
    lack of time or of a replica; broken, whose proxy was killed. added: from arrival until the request goes on to
    its upstream. waited: the part of it spent in queues. ended_s: when the last one did.
    """

    arrived: int = 0
    retried: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    added: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    timeline: list[tuple[float, float, int, int]] = field(default_factory=list)
    ended_s: float = 0.0
    proxy_busy_s: float = 0.0
    model_busy_s: float = 0.0

    @property
    def whole(self) -> int:
        """Texts that went out as they came, though they should have been shortened."""
        return self.ended["refused"] + self.ended["given_up"]

    @property
    def whole_share(self) -> float:
        """Of the texts that should have been shortened."""
        return self.whole / max(1, self.whole + self.ended["compressed"])
