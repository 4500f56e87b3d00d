"""Limits over several workers: through Redis, through a file, and alone while neither is there."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from moosproxy.policies.keys import hash_key
from moosproxy.proxy.bench.sides import free_port, running, serve_command
from moosproxy.proxy.limits.file_book import FILE_NAME
from tests.proxy.answers import completion
from tests.proxy.limits.conftest import KEYS, POLICIES, Limited, bearer
from tests.proxy.limits.test_rates import answering
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.redis_server import RedisServer, running_server
from tests.proxy.wire import Response, ask, chat

__all__ = ["running_server"]

SEARCH = "teams: {{search: {{keys: [{search}], limits: {{requests_per_minute: %d}}}}}}"


async def sent(proxy: LiveProxy, model: str) -> Response:
    return await ask(proxy.port, chat(model), authorization=bearer("search"))


async def storm(proxies: list[LiveProxy], model: str, each: int) -> Counter[int]:
    """Statuses of so many requests to each proxy at once."""
    answers = await asyncio.gather(*(sent(proxy, model) for proxy in proxies for _ in range(each)))
    return Counter(answer.status for answer in answers)


async def shared_again(proxy: LiveProxy, model: str) -> Response:
    """The first answer that was not decided alone."""
    async with asyncio.timeout(10):
        while "x-moos-limits" in (answer := await sent(proxy, model)).headers:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return answer


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for an exchange, however busy the machine is."""
    monkeypatch.setattr("moosproxy.proxy.limits.tally._PATIENCE_S", 20)


@pytest.mark.usefixtures("patient")
async def test_two_workers_let_through_what_one_may_through_redis(
    limited: Limited, upstream: ScriptedUpstream, redis_server: RedisServer
) -> None:
    proxies = [limited(SEARCH % 20, folder=name, redis_url=redis_server.url, workers=2) for name in ("a", "b")]
    model = answering(upstream, completion())

    assert await storm(proxies, model, 30) == {200: 20, 429: 40}
    assert len(upstream.all(model)) == 20


@pytest.mark.usefixtures("patient")
async def test_two_workers_let_through_what_one_may_through_a_file(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    proxies = [limited(SEARCH % 20, workers=2) for _ in range(2)]
    model = answering(upstream, completion())

    assert await storm(proxies, model, 30) == {200: 20, 429: 40}


@pytest.mark.usefixtures("patient")
async def test_a_big_limit_is_shared_without_a_round_trip_for_each_request(
    limited: Limited, upstream: ScriptedUpstream, redis_server: RedisServer
) -> None:
    proxies = [
        limited(SEARCH % 100_000, folder=name, redis_url=redis_server.url, workers=2) for name in ("a", "b")
    ]
    model = answering(upstream, completion())
    with redis_server.client() as client:
        before = client.info("stats")["total_commands_processed"]
        assert await storm(proxies, model, 200) == {200: 400}
        await asyncio.sleep(0.3)
        commands = client.info("stats")["total_commands_processed"] - before
        values = [int(client.get(name)) for name in client.keys("moos:limits:team:search:requests:*")]

    assert sum(values) == 400
    assert commands < 150


async def test_redis_is_killed_in_the_middle_and_no_request_is_lost(
    limited: Limited, upstream: ScriptedUpstream, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    proxies = [limited(SEARCH % 40, folder=name, redis_url=redis_server.url, workers=2) for name in ("a", "b")]
    model = answering(upstream, completion())
    caplog.set_level(logging.WARNING, "moos")
    assert await storm(proxies, model, 4) == {200: 8}
    await asyncio.sleep(0.3)
    redis_server.kill()
    began = time.monotonic()
    during = await storm(proxies, model, 40)

    assert set(during) == {200, 429}
    assert sum(during.values()) == 80
    assert 32 <= during[200] <= 36  # what was left, halved, and what each had not heard of the other
    assert time.monotonic() - began < 10
    alone = await sent(proxies[0], model)
    assert alone.headers["x-moos-limits"] == "local"
    ready = (await ask(proxies[0].port, b"", "/readyz", "GET", authorization=bearer("search"))).json()
    assert ready["checks"]["limits"]["state"] == "degraded"
    assert len([line for line in caplog.records if "limits are not shared" in line.message]) == 2  # once a worker

    redis_server.start()
    for proxy in proxies:
        await shared_again(proxy, model)
    await asyncio.sleep(0.5)  # this Redis has forgotten everything, and is told anew
    assert [(await sent(proxy, model)).status for proxy in proxies] == [429, 429]


async def test_a_redis_that_hangs_holds_up_one_moment_only(
    limited: Limited, upstream: ScriptedUpstream, redis_server: RedisServer
) -> None:
    proxy = limited(SEARCH % 1000, redis_url=redis_server.url)
    model = answering(upstream, completion())
    assert await storm([proxy], model, 2) == {200: 2}
    redis_server.freeze()
    try:
        times = []
        for _ in range(20):
            began = time.monotonic()
            assert (await sent(proxy, model)).status == 200
            times.append(time.monotonic() - began)
            await asyncio.sleep(0.1)
    finally:
        redis_server.thaw()

    assert max(times) < 1.0
    assert sorted(times)[10] < 0.1


async def test_a_folder_that_cannot_be_written_counts_in_memory(
    limited: Limited, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    proxy = limited(SEARCH % 3)
    model = answering(upstream, completion())

    assert await storm([proxy], model, 5) == {200: 3, 429: 2}
    assert (await sent(proxy, model)).headers["x-moos-limits"] == "local"


async def test_a_file_of_a_newer_version_is_left_alone_and_named(
    limited: Limited, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    file = tmp_path / "state" / FILE_NAME
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    content = file.read_bytes()
    proxy = limited(SEARCH % 3)
    model = answering(upstream, completion())

    assert await storm([proxy], model, 4) == {200: 3, 429: 1}
    ready = (await ask(proxy.port, b"", "/readyz", "GET", authorization=bearer("search"))).json()
    assert "is of a newer moosproxy (version 99" in ready["checks"]["limits"]["detail"]
    assert file.read_bytes() == content


@pytest.mark.parametrize("fault", ["damaged", "removed", "locked"])
async def test_faults_of_the_file_fail_no_request(
    limited: Limited, upstream: ScriptedUpstream, tmp_path: Path, fault: str
) -> None:
    proxy = limited(SEARCH % 1000)
    model = answering(upstream, completion())
    assert await storm([proxy], model, 5) == {200: 5}
    await asyncio.sleep(0.3)
    file = tmp_path / "state" / FILE_NAME
    holder = None
    if fault == "damaged":
        file.unlink()
        file.write_bytes(b"no database" * 1000)
    elif fault == "removed":
        for each in file.parent.iterdir():
            os.remove(each)
    else:
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    assert await storm([proxy], model, 20) == {200: 20}
    await asyncio.sleep(0.3)
    assert await storm([proxy], model, 20) == {200: 20}
    assert time.monotonic() - began < 5
    if holder is not None:
        assert (await sent(proxy, model)).headers["x-moos-limits"] == "local"
        holder.execute("ROLLBACK")
        holder.close()
    await shared_again(proxy, model)


@pytest.mark.slow
async def test_workers_of_one_serve_share_and_remember(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    hashes = {name: f'"{hash_key(key)}"' for name, key in KEYS.items()}
    file = tmp_path / "moos.yaml"
    bounds = "teams: {{search: {{keys: [{search}], budget: {{tokens_per_day: 200}}}}}}"
    file.write_text((POLICIES + bounds).format(url=upstream.url, prices="{}", **hashes))
    model = answering(upstream, completion())
    environment = {
        "PATH": os.environ["PATH"],
        "MOOS_POLICIES": str(file),
        "MOOS_STATE_DIR": str(tmp_path / "state"),
        "MOOS_COMPRESSOR": "off",
    }
    statuses: Counter[int] = Counter()
    for _ in range(2):
        port = free_port()
        with running("moos serve", serve_command(port, "--workers", "2"), port, "/healthz", environment):
            for _ in range(16):
                statuses[(await ask(port, chat(model), authorization=bearer("search"))).status] += 1
    spent = 16 * statuses[200]

    assert statuses[200] + statuses[429] == 32
    assert 184 <= spent <= 200 + 2 * 16  # an answer that was just counted may not have been heard of yet
