"""The shared layer against a Redis that is killed, frozen, slow, silent, or not there at all."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterator

import pytest

from moosproxy.proxy.cache.breaker import Breaker
from moosproxy.proxy.cache.key import KeySpace
from moosproxy.proxy.cache.opening import open_store
from tests.proxy.cache.workers import (
    CUT,
    KEY,
    OTHER_CUT,
    PATIENT_MS,
    TEXT,
    Workers,
    faults,
    look_up,
    timed_look_up,
)
from tests.proxy.redis_server import RedisServer


async def test_a_killed_redis_costs_misses_and_then_nothing_until_it_is_back(
    worker: Workers, redis_server: RedisServer
) -> None:
    store = await worker(breaker=Breaker(threshold=3, cooldown_s=0.1))
    await store.settle(KEY, TEXT, CUT)
    redis_server.kill()
    other = KeySpace(["other"]).key(TEXT.encode())
    for _ in range(20):
        assert await look_up(store, other) is None
    assert await look_up(store) == CUT
    assert faults(store) == {"down": 3}
    assert store.shared and store.shared.degraded
    redis_server.start()
    async with asyncio.timeout(5):
        while store.shared.degraded:
            await look_up(store, other)
            await asyncio.sleep(0.02)
    await store.settle(other, TEXT, OTHER_CUT)
    assert await look_up(await worker(), other) == OTHER_CUT


async def test_a_redis_that_dies_and_comes_back_under_load_makes_no_error_and_no_wait(
    worker: Workers, redis_server: RedisServer
) -> None:
    store = await worker(timeout_ms=20, breaker=Breaker(cooldown_s=0.1))
    stop = asyncio.Event()
    waits: list[float] = []

    async def client(name: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            key = KeySpace([str(name), str(turn)]).key(TEXT.encode())
            started = time.perf_counter()
            assert await look_up(store, key) is None
            assert await store.settle(key, TEXT, CUT) == CUT
            assert await look_up(store, key) == CUT
            waits.append(time.perf_counter() - started)
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as group:
        for name in range(16):
            group.create_task(client(name))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(redis_server.kill)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(redis_server.start)
        await asyncio.sleep(1)
        stop.set()
    assert store.shared and store.shared.degraded is None
    assert len(waits) > 200
    assert sorted(waits)[len(waits) * 99 // 100] < 0.2
    with redis_server.client() as client_:
        assert client_.dbsize() > 10


async def test_a_restart_between_two_requests_costs_nothing(worker: Workers, redis_server: RedisServer) -> None:
    store = await worker()
    await store.settle(KEY, TEXT, CUT)
    redis_server.kill()
    redis_server.start()
    other = KeySpace(["other"]).key(TEXT.encode())
    assert await look_up(store, other) is None
    await store.settle(other, TEXT, OTHER_CUT)
    assert faults(store) == {}
    assert await look_up(await worker(), other) == OTHER_CUT


async def test_a_frozen_redis_costs_the_timeout_three_times_and_then_nothing(
    worker: Workers, redis_server: RedisServer
) -> None:
    store = await worker(timeout_ms=20, breaker=Breaker(threshold=3, cooldown_s=30))
    redis_server.freeze()
    waits = [await timed_look_up(store) for _ in range(50)]
    redis_server.thaw()
    assert all(0.018 < wait < 2 for wait in waits[:3])
    assert sum(waits[3:]) < 0.4  # 0.94 if they waited
    assert faults(store) == {"slow": 3}


async def test_requests_that_meet_a_frozen_redis_together_wait_once(
    worker: Workers, redis_server: RedisServer
) -> None:
    store = await worker(timeout_ms=20)
    redis_server.freeze()
    started = time.perf_counter()
    await asyncio.gather(*(look_up(store) for _ in range(200)))
    assert time.perf_counter() - started < 2  # 4 if they waited in turn
    redis_server.thaw()


async def test_a_probe_of_a_redis_that_is_still_slow_keeps_it_out_of_use(
    worker: Workers, redis_server: RedisServer
) -> None:
    store = await worker(timeout_ms=20, breaker=Breaker(threshold=1, cooldown_s=0.01, max_cooldown_s=0.01))
    redis_server.freeze()
    await timed_look_up(store)
    waits = []
    for _ in range(20):
        await asyncio.sleep(0.01)
        waits.append(await timed_look_up(store))
    assert sum(wait > 0.018 for wait in waits) < 10  # every one if they waited for the probe
    assert store.shared and store.shared.degraded
    redis_server.thaw()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connections are accepted and nobody ever says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield listener.getsockname()[1]


async def test_a_server_that_never_answers_costs_no_more_than_the_timeout(silent_port: int) -> None:
    store = open_store(redis_url=f"redis://127.0.0.1:{silent_port}", timeout_ms=10)
    assert await timed_look_up(store) < 2
    started = time.perf_counter()
    assert await store.settle(KEY, TEXT, CUT) == CUT
    assert time.perf_counter() - started < 2
    await store.aclose()


async def test_no_server_at_all_and_a_wrong_password_are_misses(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.config_set("requirepass", "right")
    wrong = open_store(redis_url=redis_server.url.replace("//", "//:wrong@"), timeout_ms=PATIENT_MS)
    right = open_store(redis_url=redis_server.url.replace("//", "//:right@"), timeout_ms=PATIENT_MS)
    assert await look_up(wrong) is None
    assert await wrong.settle(KEY, TEXT, CUT) == CUT
    assert set(faults(wrong)) == {"down"}
    await right.settle(KEY, TEXT, OTHER_CUT)
    assert faults(right) == {}
    await right.aclose()
    redis_server.kill()
    nobody = open_store(redis_url=redis_server.url, timeout_ms=PATIENT_MS)
    assert await look_up(nobody) is None
    assert faults(nobody) == {"down": 1}
    await nobody.aclose()
    await wrong.aclose()


async def test_many_faults_make_one_warning_that_holds_no_secret(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.kill()
    store = open_store(redis_url=redis_server.url.replace("//", "//:secret@"), timeout_ms=PATIENT_MS)
    with caplog.at_level(logging.WARNING):
        for _ in range(10):
            await look_up(store)
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text
    await store.aclose()


def test_a_malformed_url_is_a_value_error_at_once() -> None:
    with pytest.raises(ValueError, match="scheme"):
        open_store(redis_url="localhost:6379")


async def test_a_write_that_comes_too_late_for_its_request_still_lands(
    worker: Workers, redis_server: RedisServer
) -> None:
    store = await worker(timeout_ms=20)
    redis_server.freeze()
    assert await store.settle(KEY, TEXT, CUT) == CUT
    redis_server.thaw()
    async with asyncio.timeout(5):
        while await look_up(await worker()) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
