"""The file that workers share is locked, damaged, removed, full, or cannot be written: misses, and no error."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from moosproxy.proxy.cache.breaker import Breaker
from moosproxy.proxy.cache.file_cache import WRITE_S, FileCache
from moosproxy.proxy.cache.key import Key, KeySpace
from moosproxy.proxy.cache.store import Store
from tests.proxy.cache.workers import CUT, KEY, OTHER_CUT, TEXT, FileWorkers, faults, look_up, pin

OTHER = KeySpace(["other"]).key(TEXT.encode())


def keys(count: int) -> list[Key]:
    return [KeySpace(["many"]).key(str(number).encode()) for number in range(count)]


async def agree(one: Store, two: Store) -> bool:
    """Whether the two have the same form of a text that neither has seen."""
    key = KeySpace([str(time.time_ns())]).key(TEXT.encode())
    first = await one.settle(key, TEXT, CUT)
    return first == await two.settle(key, TEXT, OTHER_CUT)


async def test_a_removed_file_is_one_fault_and_the_workers_agree_on_a_new_one(file_worker: FileWorkers) -> None:
    one, two = await file_worker(), await file_worker()
    await one.settle(KEY, TEXT, CUT)
    file_worker.path.unlink()
    assert await agree(one, two)
    assert faults(one) == faults(two) == {"down": 1}
    assert await agree(two, await file_worker())
    assert await look_up(one) == CUT
    assert faults(one) == faults(two) == {"down": 1}


async def test_a_removed_folder_takes_the_file_out_of_use_until_it_is_back(file_worker: FileWorkers) -> None:
    store = await file_worker(breaker=Breaker(cooldown_s=0.05))
    shutil.rmtree(file_worker.folder)
    for _ in range(20):
        assert await look_up(store) is None
    assert faults(store) == {"down": 3}
    assert store.shared and "cannot be opened" in (store.shared.degraded or "")
    assert await store.settle(KEY, TEXT, CUT) == CUT
    file_worker.folder.mkdir()
    await back_in_use(store)
    assert await agree(store, await file_worker())


async def back_in_use(store: Store) -> None:
    assert store.shared
    async with asyncio.timeout(5):
        while store.shared.degraded:
            await look_up(store, OTHER)
            await asyncio.sleep(0.02)


async def test_a_file_that_is_no_table_is_put_out_and_made_anew(file_worker: FileWorkers) -> None:
    file_worker.path.write_bytes(random.Random(1).randbytes(50_000))
    one, two = await file_worker(), await file_worker()
    assert faults(one) == {"damaged": 1}
    assert faults(two) == {}
    assert await agree(one, two)


@pytest.mark.parametrize("seed", range(8))
async def test_a_file_that_is_damaged_under_its_workers_fails_nothing_and_is_made_anew(
    file_worker: FileWorkers, seed: int
) -> None:
    one, two = await file_worker(), await file_worker()
    for key in keys(400):
        await one.settle(key, TEXT, CUT)
    scribble(file_worker.path, random.Random(seed))
    for key in keys(400):
        assert await look_up(two, key) in (CUT, None)
        assert await two.settle(key, TEXT, CUT) == CUT
    assert "damaged" in faults(two)
    assert await agree(two, await file_worker())


def scribble(path: Path, dice: random.Random) -> None:
    """Moves all records out of the log, and then writes noise over half of the pages, or cuts the file short."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        size = path.stat().st_size
        if dice.random() < 0.3:
            file.truncate(size // 2)
        for page in range(0, size, 4096):
            if dice.random() < 0.5:
                file.seek(page)
                file.write(dice.randbytes(4096))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """As by a worker that is frozen in the middle of a write."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


async def test_a_locked_file_is_read_and_costs_a_write_a_bounded_wait_while_the_loop_runs_on(
    file_worker: FileWorkers,
) -> None:
    one, two = await file_worker(), await file_worker(timeout_ms=10)
    await one.settle(KEY, TEXT, CUT)
    with locked(file_worker.path):
        assert await look_up(two) == CUT
        started = time.perf_counter()
        ticks = asyncio.create_task(count_ticks())
        assert await two.settle(OTHER, TEXT, OTHER_CUT) == OTHER_CUT
        assert WRITE_S * 0.9 < time.perf_counter() - started < 2
        ticks.cancel()
        assert faults(two) == {"slow": 1}
        assert await ticks > 10
    async with asyncio.timeout(5):  # what was late has landed
        while await look_up(await file_worker(), OTHER) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def count_ticks() -> int:
    count = 0
    try:
        while True:
            await asyncio.sleep(0.005)
            count += 1
    except asyncio.CancelledError:
        return count


async def test_a_file_that_stays_locked_is_out_of_use_until_it_is_free(file_worker: FileWorkers) -> None:
    store = await file_worker(timeout_ms=10, breaker=Breaker(threshold=2, cooldown_s=0.05))
    with locked(file_worker.path):
        for key in keys(5):
            assert await look_up(store, key) is None
            assert await store.settle(key, TEXT, CUT) == CUT
        assert faults(store)["slow"] == 2
        assert store.shared and "is locked" in (store.shared.degraded or "")
    await back_in_use(store)
    assert await agree(store, await file_worker())


async def test_a_burst_of_writes_to_a_locked_file_is_given_up_together(file_worker: FileWorkers) -> None:
    store = await file_worker(timeout_ms=10)
    with locked(file_worker.path):
        started = time.perf_counter()
        assert await asyncio.gather(*(store.settle(key, TEXT, CUT) for key in keys(30))) == [CUT] * 30
        await store.aclose()
        assert time.perf_counter() - started < 8  # 30 if each waited for itself


async def test_a_burst_that_meets_a_damaged_file_puts_out_that_one_alone(file_worker: FileWorkers) -> None:
    one, two = await file_worker(), await file_worker()
    for key in keys(400):
        await one.settle(key, TEXT, CUT)
    scribble(file_worker.path, random.Random(0))
    await asyncio.gather(*(two.settle(key, TEXT, CUT) for key in keys(400)))
    assert faults(two) == {"damaged": 1}
    assert await agree(two, await file_worker())


async def test_a_full_disk_is_told_and_the_file_is_still_read(file_worker: FileWorkers) -> None:
    one, two = await file_worker(), await file_worker()
    await one.settle(KEY, TEXT, CUT)
    assert isinstance(two.shared, FileCache)
    two.shared._opened()._writer.execute("PRAGMA max_page_count = 1")  # SQLite says the same as of a full disk
    skip = pin()
    for key in keys(60):
        assert await two.settle(key, TEXT, skip) == skip
    assert set(faults(two)) == {"full"}
    assert "disk is full" in (two.shared.degraded or "")
    assert await look_up(two) == CUT
    two.shared._opened()._writer.execute("PRAGMA max_page_count = 100000")
    assert await agree(two, one)
    assert two.shared.degraded is None


@contextmanager
def as_nobody() -> Iterator[None]:
    """The superuser may write everywhere."""
    if os.name == "nt" or os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def read_only() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="moos-read-only-"))
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


async def test_a_folder_that_cannot_be_written_leaves_each_worker_to_itself(read_only: Path) -> None:
    workers = FileWorkers(read_only)
    with as_nobody():
        store = await workers()
        for key in keys(5):
            assert await look_up(store, key) is None
            assert await store.settle(key, TEXT, CUT) == CUT
            assert await look_up(store, key) == CUT
        await workers.aclose()
    assert faults(store) == {"down": 3}
    assert store.shared and str(read_only) in (store.shared.degraded or "")
    assert os.listdir(read_only) == []


async def test_every_fault_is_told_to_who_counts(file_worker: FileWorkers) -> None:
    store, told = await file_worker(), list[str]()
    assert store.shared
    store.shared.on_fault = told.append
    file_worker.path.unlink()
    await look_up(store)
    assert told == ["down"]
