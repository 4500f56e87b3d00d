"""The shared layer against a real Redis: killed, frozen, full, restarted, holding garbage, and never any text."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from moosproxy.compressor import KeptSpans
from moosproxy.proxy.cache.breaker import Breaker
from moosproxy.proxy.cache.cut import Cut
from moosproxy.proxy.cache.key import Key, KeySpace
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.opening import open_store
from moosproxy.proxy.cache.record import Answer, Record, Skip
from moosproxy.proxy.cache.shared import SharedCache
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.reasons import SkipReason
from tests.proxy.fakes import prose
from tests.proxy.redis_server import RedisServer, running_server  # noqa: F401

TEXT = prose(400)
KEY = KeySpace(["team"]).key(TEXT.encode())
CUT = Cut.of(TEXT, KeptSpans(((0, 2), (6, 8))), 400, 2)
OTHER_CUT = Cut.of(TEXT, KeptSpans(((0, 2), (3, 5))), 400, 2)
PATIENT_MS = 2_000.0
"""A timeout for tests that are not about time: the machine may be busy."""


def pin(seconds: int = 3600) -> Skip:
    return Skip(SkipReason.DEADLINE, 400, int(time.time()) + seconds)


class Workers:
    """Stores of as many workers as a test asks for, all closed in the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stores: list[Store] = []

    async def __call__(self, timeout_ms: float = PATIENT_MS, breaker: Breaker | None = None) -> Store:
        shared = SharedCache(self._url, timeout_ms=timeout_ms, breaker=breaker)
        self._stores.append(Store(LocalCache(1_000_000), shared))
        await shared.connect()
        return self._stores[-1]

    async def aclose(self) -> None:
        for store in self._stores:
            await store.aclose()


@pytest.fixture
async def worker(redis_server: RedisServer) -> AsyncIterator[Workers]:
    workers = Workers(redis_server.url)
    yield workers
    redis_server.kill()
    await workers.aclose()


async def look_up(store: Store, key: Key = KEY, text: str = TEXT) -> Answer | None:
    found = (await store.find([(key, text)])).get(key)
    return found.answer if found else None


async def timed_look_up(store: Store) -> float:
    started = time.perf_counter()
    assert await look_up(store) is None
    return time.perf_counter() - started


def faults(store: Store) -> dict[str, int]:
    assert store.shared
    return dict(store.shared.faults)


@pytest.mark.parametrize("answer", [CUT, pin(), Skip(SkipReason.PROTECTED_KIND, 400)], ids=["cut", "pin", "skip"])
async def test_what_one_worker_learns_the_other_knows(worker: Workers, answer: Answer) -> None:
    one, two = await worker(), await worker()
    assert await one.settle(KEY, TEXT, answer) == answer
    found = await two.find([(KEY, TEXT)])
    assert (found[KEY].answer, found[KEY].layer) == (answer, "redis")
    assert (await two.find([(KEY, TEXT)]))[KEY].layer == "local"
    assert faults(one) == faults(two) == {}


@pytest.mark.parametrize(("first", "second"), [(CUT, OTHER_CUT), (CUT, pin()), (pin(), CUT)])
async def test_the_first_writer_wins_for_every_worker(worker: Workers, first: Answer, second: Answer) -> None:
    one, two, three = await worker(), await worker(), await worker()
    assert await one.settle(KEY, TEXT, first) == first
    assert await two.settle(KEY, TEXT, second) == first
    assert await look_up(two) == first
    assert await look_up(three) == first


async def test_workers_that_write_at_the_same_time_agree(worker: Workers) -> None:
    stores = [await worker() for _ in range(4)]
    answers: list[Answer] = [CUT, OTHER_CUT, pin(), CUT]
    settled = await asyncio.gather(
        *(store.settle(KEY, TEXT, answer) for store, answer in zip(stores, answers, strict=True))
    )
    assert all(answer == settled[0] for answer in settled)


async def test_all_texts_of_a_request_travel_in_one_round_trip(worker: Workers, redis_server: RedisServer) -> None:
    space = KeySpace(["many"])
    texts = [(space.key(str(number).encode()), str(number)) for number in range(200)]
    one, two = await worker(), await worker()
    await asyncio.gather(*(one.settle(key, text, pin()) for key, text in texts))
    with redis_server.client() as client:
        before = (
            client.info("commandstats")["cmdstat_mget"]["calls"]
            if "cmdstat_mget" in client.info("commandstats")
            else 0
        )
        assert len(await two.find(texts)) == 200
        assert client.info("commandstats")["cmdstat_mget"]["calls"] == before + 1
        assert client.info("clients")["connected_clients"] < 12


async def test_values_expire(worker: Workers, redis_server: RedisServer) -> None:
    store = await worker()
    other = KeySpace(["other"]).key(TEXT.encode())
    await store.settle(KEY, TEXT, CUT)
    await store.settle(other, TEXT, pin(60))
    with redis_server.client() as client:
        assert 6 * 24 * 3600 < client.ttl(KEY.name) <= 7 * 24 * 3600
        assert 50 < client.ttl(other.name) <= 60


async def test_a_pin_that_ran_out_makes_room_for_the_compressed_form(worker: Workers) -> None:
    one, two = await worker(), await worker()
    late = Skip(SkipReason.DEADLINE, 400, int(time.time()) - 1)  # as a worker whose clock is behind wrote it
    await one.settle(KEY, TEXT, late)
    assert await look_up(two) is None
    assert await two.settle(KEY, TEXT, CUT) == CUT
    assert await look_up(await worker()) == CUT


GARBAGE = {
    "bytes": b"\x00\xff garbage",
    "empty": b"",
    "another key's value": KeySpace([]).key(b"x").close(Record.of(CUT).to_bytes()),
    "sealed garbage": KEY.close(b"\x01\x00\x07"),
    "unknown version": KEY.close(b"\x63\x00\x07\x07\x00\x01"),
    "spans beyond the text": KEY.close(b"\x01\x00\x07\x07" + KeptSpans(((0, len(TEXT) + 1),)).to_bytes()),
    "half a value": KEY.close(Record.of(CUT).to_bytes())[:-9],
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_under_our_key_is_a_counted_miss_and_then_written_over(
    worker: Workers, redis_server: RedisServer, garbage: bytes
) -> None:
    one = await worker()
    with redis_server.client() as client:
        client.set(KEY.name, garbage)
    assert await look_up(one) is None
    assert faults(one) == {"garbage": 1}
    assert await one.settle(KEY, TEXT, CUT) == CUT
    assert await look_up(await worker()) == CUT


async def test_a_foreign_list_under_our_key_is_written_over(worker: Workers, redis_server: RedisServer) -> None:
    one = await worker()
    with redis_server.client() as client:
        client.rpush(KEY.name, "a", "b")
    assert await look_up(one) is None
    assert await one.settle(KEY, TEXT, CUT) == CUT
    assert await look_up(await worker()) == CUT


async def test_a_full_redis_still_reads_and_the_local_layer_still_learns(
    worker: Workers, redis_server: RedisServer
) -> None:
    one = await worker()
    other = KeySpace(["other"]).key(TEXT.encode())
    await one.settle(KEY, TEXT, CUT)
    with redis_server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
    two = await worker()
    assert await look_up(two) == CUT
    assert await two.settle(other, TEXT, OTHER_CUT) == OTHER_CUT
    assert await look_up(two, other) == OTHER_CUT
    assert faults(two) == {"full": 1}
    assert two.shared and two.shared.degraded is None


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
    store = open_store(redis_url=f"redis://127.0.0.1:{silent_port}", redis_timeout_ms=10)
    assert await timed_look_up(store) < 2
    started = time.perf_counter()
    assert await store.settle(KEY, TEXT, CUT) == CUT
    assert time.perf_counter() - started < 2
    await store.aclose()


async def test_no_server_at_all_and_a_wrong_password_are_misses(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.config_set("requirepass", "right")
    wrong = open_store(redis_url=redis_server.url.replace("//", "//:wrong@"), redis_timeout_ms=PATIENT_MS)
    right = open_store(redis_url=redis_server.url.replace("//", "//:right@"), redis_timeout_ms=PATIENT_MS)
    assert await look_up(wrong) is None
    assert await wrong.settle(KEY, TEXT, CUT) == CUT
    assert set(faults(wrong)) == {"down"}
    await right.settle(KEY, TEXT, OTHER_CUT)
    assert faults(right) == {}
    await right.aclose()
    redis_server.kill()
    nobody = open_store(redis_url=redis_server.url, redis_timeout_ms=PATIENT_MS)
    assert await look_up(nobody) is None
    assert faults(nobody) == {"down": 1}
    await nobody.aclose()
    await wrong.aclose()


async def test_many_faults_make_one_warning_that_holds_no_secret(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.kill()
    store = open_store(redis_url=redis_server.url.replace("//", "//:secret@"), redis_timeout_ms=PATIENT_MS)
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


async def test_a_dump_of_redis_holds_no_word_of_any_text(
    worker: Workers, redis_server: RedisServer, tmp_path: Path
) -> None:
    store = await worker()
    canaries = ["CanaryAlpha", "canaire-été", "金丝雀", "hunter2hunter2"]
    text = " ".join(f"{canary} {prose(50, canary)}" for canary in canaries)
    key = KeySpace(["team"]).key(text.encode())
    spans = KeptSpans(tuple((at, at + 9) for at in range(0, len(text) - 20, 20)))
    await store.settle(key, text, Cut.of(text, spans, 1000, 500))
    await store.settle(KeySpace(["other"]).key(text.encode()), text, pin())
    with redis_server.client() as client:
        held = b"".join(name + client.get(name) for name in client.keys("*"))
        assert client.dbsize() == 2
        client.save()
    dump = held + (tmp_path / "dump.rdb").read_bytes()
    assert key.name in dump
    pieces = {word.encode() for word in text.split()} | {canary.encode() for canary in canaries}
    assert not [piece for piece in pieces if len(piece) > 3 and piece in dump]
