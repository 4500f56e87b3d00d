"""The model: proxies, a tier of compressors, what fails and what comes after. Events in a heap, nothing else.

A queue's departure is known when a request joins it, so a request is two or three events and no process of its
own; a simulation library's processes take ten times as long, and a fleet has a million requests in ten seconds.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterator
from itertools import count

from moosproxy.proxy.bench.fleet.costs import Costs
from moosproxy.proxy.bench.fleet.parts import Fleet, Outcome, Proxy, Replica, Text
from moosproxy.proxy.scheduling.admission import CERTAINTY

SCALE_EVERY_S = 15.0
_LOOKED_AT = 8
"""Replicas of many, of which a proxy takes the one that has least to do for it: mostly one of them has nothing."""
_TOLERANCE = 1.1
"""What an autoscaler takes for no difference."""


Event = tuple[float, int, Callable[..., None], tuple[object, ...]]


class Simulation:
    """One run. The same numbers give the same outcome."""

    def __init__(self, fleet: Fleet, costs: Costs, history: float = 0.0, seed: int = 0) -> None:
        """history: tokens of known texts in each request."""
        self._fleet, self._costs = fleet, costs
        self._proxy_s = costs.proxy_s + history * costs.proxy_token_s
        self._least_s = self._proxy_s + costs.redis_s
        self._dice = random.Random(seed)
        self._proxies = [Proxy() for _ in range(fleet.proxies)]
        self._replicas = [Replica(number) for number in range(fleet.replicas)]
        self._coming = 0
        self._events: list[Event] = []
        self._numbers = count(fleet.replicas)
        self._out = Outcome()
        self._warm = 0.0
        self._on_finish: Callable[[float], None] | None = None

    def run(self, arrivals: Iterator[tuple[float, float]], seconds: float, warm: float = 0.0) -> Outcome:
        """Requests that come until `seconds`, each served to its end; those before `warm` are not timed."""
        self._warm = warm
        self._plan(seconds)
        while (arrival := next(arrivals, None)) is not None and arrival[0] < seconds:
            self._drain(arrival[0])
            self._arrive(*arrival)
        self._drain(math.inf)
        return self._out

    def run_closed(self, sizes: Iterator[float], clients: int, seconds: float, warm: float = 0.0) -> Outcome:
        """So many clients, each with the next text as soon as the last one is through."""
        self._warm = warm

        def again(now: float) -> None:
            if now < seconds and (size := next(sizes, None)) is not None:
                self._arrive(now, size)

        self._on_finish = again
        for _ in range(clients):
            again(0.0)
        self._drain(math.inf)
        return self._out

    def _plan(self, seconds: float) -> None:
        """What is not asked by a request."""
        ticks = range(1, int(seconds) + 1)
        for second in ticks:
            self._at(float(second), self._look)
        if self._fleet.queued_tokens:
            for tick in range(1, int(seconds / SCALE_EVERY_S) + 1):
                self._at(tick * SCALE_EVERY_S, self._scale)
        if self._fleet.lost:
            self._at(self._fleet.lost[0], self._lose)
        if self._fleet.lost_proxies:
            self._at(self._fleet.lost_proxies[0], self._lose_proxies)

    def _at(self, when: float, what: Callable[..., None], *arguments: object) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), what, arguments))

    def _drain(self, until: float) -> None:
        events = self._events
        while events and events[0][0] <= until:
            when, _, what, arguments = heapq.heappop(events)
            what(when, *arguments)

    def _arrive(self, now: float, tokens: float) -> None:
        """To a random proxy, as a Kubernetes service does it, and through its event loop."""
        self._out.arrived += 1
        proxy = self._proxies[int(self._dice.random() * len(self._proxies))]
        proxy.free = max(now, proxy.free) + self._proxy_s
        self._out.proxy_busy_s += self._proxy_s
        text = Text(now, proxy, tokens, self._least_s)
        self._at(proxy.free + self._costs.redis_s, self._to_tier if tokens else self._pass, text)

    def _pass(self, now: float, text: Text) -> None:
        self._finish(now, text, "untouched")

    def _to_tier(self, now: float, text: Text) -> None:
        replica = self._choose(text.proxy)
        if replica is None:
            self._finish(now, text, "given_up")
            return
        noise = math.exp(self._dice.gauss(-(self._costs.spread**2) / 2, self._costs.spread))
        first = (self._costs.text_s + text.tokens * self._costs.text_token_s) * noise
        second = (self._costs.model_s + text.tokens * self._costs.model_token_s) * noise
        half = max(now, replica.text_free) + first
        done = max(half, replica.model_free) + second
        if replica.held and done - now > CERTAINTY * (text.arrived + self._fleet.deadline_s - now):
            self._finish(now, text, "refused")
            return
        replica.text_free, replica.model_free = half, done
        self._out.model_busy_s += second
        text.service = self._least_s + first + second + self._costs.hop_s
        number = next(self._numbers)
        replica.held[number] = text
        replica.queued += text.tokens
        for book in (text.proxy.asked, text.proxy.since):
            book[replica.number] = book.get(replica.number, 0.0) + text.tokens
        self._at(done, self._done, replica, number)

    def _choose(self, proxy: Proxy) -> Replica | None:
        live = self._replicas
        if len(live) < 2:
            return live[0] if live else None
        if self._fleet.dispatch == "least":
            return min(live, key=lambda replica: replica.model_free)
        if self._fleet.dispatch == "told":
            since = proxy.since
            return min(self._two_of(live), key=lambda replica: replica.told + since.get(replica.number, 0.0))
        if self._fleet.dispatch == "two":
            return min(self._two_of(live), key=lambda replica: replica.queued)
        few = live if len(live) <= _LOOKED_AT else self._any_of(live, _LOOKED_AT)
        return min(few, key=lambda replica: (proxy.asked.get(replica.number, 0.0), self._dice.random()))

    def _two_of(self, live: list[Replica]) -> tuple[Replica, Replica]:
        first, second = int(self._dice.random() * len(live)), int(self._dice.random() * (len(live) - 1))
        return live[first], live[second + (second >= first)]

    def _any_of(self, live: list[Replica], number: int) -> list[Replica]:
        return [live[int(self._dice.random() * len(live))] for _ in range(number)]

    def _done(self, now: float, replica: Replica, number: int) -> None:
        text = replica.held.pop(number, None)
        if text is None:  # the replica was killed meanwhile
            return
        replica.queued -= text.tokens
        _forget(text, replica)
        self._finish(now + self._costs.hop_s, text, "compressed")

    def _finish(self, now: float, text: Text, how: str) -> None:
        self._out.ended["broken" if text.proxy.dead else how] += 1
        self._out.ended_s = max(self._out.ended_s, now)
        if text.arrived >= self._warm:
            self._out.added.append(now - text.arrived)
            self._out.waited.append(max(0.0, now - text.arrived - text.service))
        if self._on_finish:
            self._on_finish(now)

    def _lose(self, now: float) -> None:
        """Replicas are killed. What they had is asked for elsewhere."""
        assert self._fleet.lost
        _, number, back_s = self._fleet.lost
        gone, self._replicas = self._replicas[:number], self._replicas[number:]
        self._coming += number
        for replica, text in [(one, text) for one in gone for text in one.held.values()]:
            _forget(text, replica)
            self._out.retried += 1
            text.service = self._least_s
            self._at(now + self._costs.hop_s, self._to_tier, text)
        for replica in gone:
            replica.held.clear()
        self._at(now + back_s, self._grow, number)

    def _lose_proxies(self, now: float) -> None:
        """Proxies are killed, and with them the requests that they hold; others take what comes."""
        assert self._fleet.lost_proxies
        _, number, back_s = self._fleet.lost_proxies
        gone, self._proxies = self._proxies[:number], self._proxies[number:]
        for proxy in gone:
            proxy.dead = True
        self._at(now + back_s, lambda when: self._proxies.extend(Proxy(when) for _ in range(number)))

    def _grow(self, now: float, number: int) -> None:
        self._coming -= number
        self._replicas += [Replica(next(self._numbers), now, now) for _ in range(number)]

    def _scale(self, now: float) -> None:
        """As Kubernetes' autoscaler does it, upwards: at most twice as many at a time."""
        there = len(self._replicas) + self._coming
        ratio = self._queued() / max(1, len(self._replicas)) / self._fleet.queued_tokens
        wanted = min(math.ceil(len(self._replicas) * ratio), 2 * there, self._fleet.most_replicas)
        if ratio > _TOLERANCE and wanted > there:
            self._coming += wanted - there
            self._at(now + self._fleet.pod_s + self._costs.start_s, self._grow, wanted - there)

    def _look(self, now: float) -> None:
        """Once a second: replicas tell what they hold, and the plot gets queued tokens, replicas, and texts that
        went out whole so far."""
        for replica in self._replicas:
            replica.told = replica.queued
        for proxy in self._proxies:
            proxy.since.clear()
        self._out.timeline.append((now, self._queued(), len(self._replicas), self._out.whole))

    def _queued(self) -> float:
        return sum(replica.queued for replica in self._replicas)


def _forget(text: Text, replica: Replica) -> None:
    left = text.proxy.asked.pop(replica.number, 0.0) - text.tokens
    if left > 1e-9:  # what rounding leaves is nothing
        text.proxy.asked[replica.number] = left
