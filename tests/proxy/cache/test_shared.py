"""The shared layer in a real Redis or a real file: shared, full, holding garbage, and never any text."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from moosproxy.compressor import KeptSpans
from moosproxy.proxy.cache.cut import Cut
from moosproxy.proxy.cache.key import KeySpace
from moosproxy.proxy.cache.record import Answer, Record, Skip
from moosproxy.proxy.reasons import SkipReason
from tests.proxy.cache.workers import CUT, KEY, OTHER_CUT, TEXT, Workers, faults, look_up, pin
from tests.proxy.fakes import prose
from tests.proxy.redis_server import RedisServer


@pytest.mark.parametrize("answer", [CUT, pin(), Skip(SkipReason.PROTECTED_KIND, 400)], ids=["cut", "pin", "skip"])
async def test_what_one_worker_learns_the_other_knows(any_worker: Workers, answer: Answer) -> None:
    one, two = await any_worker(), await any_worker()
    assert await one.settle(KEY, TEXT, answer) == answer
    found = await two.find([(KEY, TEXT)])
    assert (found[KEY].answer, found[KEY].layer) == (answer, any_worker.layer)
    assert (await two.find([(KEY, TEXT)]))[KEY].layer == "local"
    assert faults(one) == faults(two) == {}


@pytest.mark.parametrize(("first", "second"), [(CUT, OTHER_CUT), (CUT, pin()), (pin(), CUT)])
async def test_the_first_writer_wins_for_every_worker(any_worker: Workers, first: Answer, second: Answer) -> None:
    one, two, three = await any_worker(), await any_worker(), await any_worker()
    assert await one.settle(KEY, TEXT, first) == first
    assert await two.settle(KEY, TEXT, second) == first
    assert await look_up(two) == first
    assert await look_up(three) == first


async def test_workers_that_write_at_the_same_time_agree(any_worker: Workers) -> None:
    stores = [await any_worker() for _ in range(4)]
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


async def test_a_pin_that_ran_out_makes_room_for_the_compressed_form(any_worker: Workers) -> None:
    one, two = await any_worker(), await any_worker()
    late = Skip(SkipReason.DEADLINE, 400, int(time.time()) - 1)  # as a worker whose clock is behind wrote it
    await one.settle(KEY, TEXT, late)
    assert await look_up(two) is None
    assert await two.settle(KEY, TEXT, CUT) == CUT
    assert await look_up(await any_worker()) == CUT


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
    any_worker: Workers, garbage: bytes
) -> None:
    one = await any_worker()
    any_worker.plant(KEY.name, garbage)
    assert await look_up(one) is None
    assert faults(one) == {"garbage": 1}
    assert await one.settle(KEY, TEXT, CUT) == CUT
    assert await look_up(await any_worker()) == CUT


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
