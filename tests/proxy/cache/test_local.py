"""The in-process layer and the breaker."""

from __future__ import annotations

from moosproxy.proxy.cache.breaker import Breaker
from moosproxy.proxy.cache.local import ENTRY_BYTES, LocalCache
from moosproxy.proxy.cache.record import Skip
from moosproxy.proxy.reasons import SkipReason

PIN = Skip(SkipReason.DEADLINE, 500, expires=100)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_answer_stands() -> None:
    cache = LocalCache(10_000)
    first, second = Skip(SkipReason.FAILED, 1), Skip(SkipReason.FAILED, 2)
    assert cache.put_first(b"a", first) is first
    assert cache.put_first(b"a", second) is first
    assert cache.get(b"a") is first


def test_the_least_recently_used_answer_goes_when_the_bytes_are_spent() -> None:
    skip = Skip(SkipReason.FAILED, 1)
    cache = LocalCache(3 * (skip.size + ENTRY_BYTES))
    for name in (b"a", b"b", b"c"):
        cache.put_first(name, skip)
    cache.get(b"a")
    cache.put_first(b"d", skip)
    assert [name for name in (b"a", b"b", b"c", b"d") if cache.get(name)] == [b"a", b"c", b"d"]
    assert cache.size == 3 * (skip.size + ENTRY_BYTES)


def test_a_pin_that_ran_out_is_gone_and_weighs_nothing() -> None:
    clock = Clock()
    cache = LocalCache(10_000, clock)
    cache.put_first(b"a", PIN)
    clock.now = 99
    assert cache.get(b"a") is PIN
    clock.now = 100
    assert cache.get(b"a") is None
    assert (cache.size, len(cache)) == (0, 0)


def test_the_breaker_opens_after_faults_in_a_row_only() -> None:
    breaker = Breaker(threshold=3)
    for outcome in (breaker.fail, breaker.fail, breaker.succeed, breaker.fail, breaker.fail):
        outcome()
    assert breaker.closed
    breaker.fail()
    assert not breaker.closed


def test_the_breaker_waits_longer_after_each_failed_probe_and_forgets_once_one_succeeds() -> None:
    clock = Clock()
    breaker = Breaker(threshold=1, cooldown_s=1, max_cooldown_s=4, now=clock)
    waits = []
    breaker.fail()
    for _ in range(4):
        start = clock.now
        while not breaker.probe_due:
            clock.now += 0.5
        waits.append(clock.now - start)
        breaker.fail()
    assert waits == [1, 2, 4, 4]
    breaker.succeed()
    breaker.fail()
    clock.now += 1
    assert breaker.probe_due


def test_faults_of_calls_that_were_under_way_do_not_prolong_the_wait() -> None:
    clock = Clock()
    breaker = Breaker(threshold=1, cooldown_s=1, now=clock)
    breaker.fail()
    clock.now = 0.9
    breaker.fail()
    clock.now = 1.0
    assert breaker.probe_due
