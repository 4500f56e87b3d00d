"""The file that workers share: raced for, bounded, and holding no text."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from moosproxy.compressor import KeptSpans
from moosproxy.proxy.cache.cache_file import CacheFile
from moosproxy.proxy.cache.cut import Cut
from moosproxy.proxy.cache.file_cache import FEW_NAMES, FILE_NAME
from moosproxy.proxy.cache.key import KeySpace
from tests.proxy.cache.racer import name_of
from tests.proxy.cache.workers import CUT, KEY, TEXT, FileWorkers, faults, look_up, pin
from tests.proxy.fakes import prose

MIB = 1024 * 1024


@pytest.fixture
def file(tmp_path: Path) -> Iterator[CacheFile]:
    with closing(CacheFile(tmp_path / FILE_NAME, MIB, 1)) as file:
        yield file


@contextmanager
def racer(folder: Path, letter: str, count: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.proxy.cache.racer", str(folder), letter, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        yield child
        assert child.stdin
        child.stdin.close()
        assert child.wait(30) == 0


def start(*children: subprocess.Popen[str]) -> None:
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    return child.stdout.readline().strip()


def test_processes_that_race_agree_on_every_name(tmp_path: Path) -> None:
    with racer(tmp_path, "a", 1500) as one, racer(tmp_path, "b", 1500) as two, racer(tmp_path, "c", 1500) as three:
        assert [line(child) for child in (one, two, three)] == ["ready"] * 3
        start(one, two, three)
        first, second, third = line(one), line(two), line(three)

    assert first == second == third
    assert len(first) == 1500
    assert len(set(first)) > 1  # nobody was alone
    assert "?" not in first


def test_a_process_that_is_killed_while_it_writes_takes_nothing_with_it(tmp_path: Path, file: CacheFile) -> None:
    with racer(tmp_path, "a", 60) as survivor:
        assert line(survivor) == "ready"
        victim = subprocess.Popen(
            [sys.executable, "-m", "tests.proxy.cache.racer", str(tmp_path), "b", "1000000"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert line(victim) == "ready"
        start(victim)
        while file.read([name_of(50)]) == [None]:
            time.sleep(0.001)
        victim.kill()
        victim.communicate()
        start(survivor)
        standing = line(survivor)

    assert standing.startswith("b" * 51)
    assert "?" not in standing


def test_what_ran_out_is_gone_and_makes_room_for_the_next(file: CacheFile) -> None:
    assert file.put_first(b"n", b"old", 0) == b"old"
    assert file.read([b"n"]) == [None]
    assert file.put_first(b"n", b"new", 60) == b"new"
    assert file.put_first(b"n", b"late", 60) == b"new"
    file.replace(b"n", b"forced", 60)
    assert file.read([b"n", b"x"]) == file.read_patiently([b"n", b"x"]) == [b"forced", None]


def test_the_file_stays_within_its_bound_and_what_ran_out_and_the_oldest_go(
    file: CacheFile, tmp_path: Path
) -> None:
    value = bytes(1000)
    for number in range(300):
        file.put_first(name_of(number), value, 60)
    file.put_first(b"ran out", value, 0)
    for number in range(300, 3000):
        assert file.put_first(name_of(number), value, 60) == value
    held = [number for number in range(3000) if file.read([name_of(number)]) != [None]]

    assert held == list(range(held[0], 3000))
    assert len(held) > 600
    assert (tmp_path / FILE_NAME).stat().st_size < 1.1 * MIB


def test_a_value_above_the_bound_is_not_kept_and_fails_nothing(file: CacheFile) -> None:
    assert file.put_first(b"big", bytes(2 * MIB), 60) is None
    assert file.put_first(b"small", b"value", 60) == b"value"


def test_the_file_is_its_owners_alone(file: CacheFile, tmp_path: Path) -> None:
    file.put_first(b"n", b"value", 60)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

    assert modes == {FILE_NAME: 0o600, f"{FILE_NAME}-wal": 0o600, f"{FILE_NAME}-shm": 0o600}


@pytest.mark.parametrize("count", [1, FEW_NAMES - 1, FEW_NAMES, 1200])
async def test_many_texts_are_looked_up_at_once(file_worker: FileWorkers, count: int) -> None:
    space = KeySpace(["many"])
    texts = [(space.key(str(number).encode()), str(number)) for number in range(count)]
    one, two = await file_worker(), await file_worker()
    for at in range(0, count, 50):  # all at once would be more than a busy machine's thread writes in its time
        await asyncio.gather(*(one.settle(key, text, pin()) for key, text in texts[at : at + 50]))

    found = await two.find([*texts, (KEY, TEXT)])

    assert found.keys() == {key for key, _ in texts}
    assert faults(two) == {}


async def test_a_worker_that_has_closed_knows_what_it_knew_and_fails_nothing(file_worker: FileWorkers) -> None:
    store = await file_worker()
    await store.aclose()
    assert await look_up(store) is None
    assert await store.settle(KEY, TEXT, CUT) == CUT
    assert await look_up(store) == CUT


async def test_the_file_and_its_log_hold_no_word_of_any_text(file_worker: FileWorkers) -> None:
    store = await file_worker()
    canaries = ["CanaryAlpha", "canaire-été", "金丝雀", "hunter2hunter2"]
    text = " ".join(f"{canary} {prose(50, canary)}" for canary in canaries)
    key = KeySpace(["team"]).key(text.encode())
    spans = KeptSpans(tuple((at, at + 9) for at in range(0, len(text) - 20, 20)))
    await store.settle(key, text, Cut.of(text, spans, 1000, 500))
    await store.settle(KeySpace(["other"]).key(text.encode()), text, pin())

    held = b"".join(path.read_bytes() for path in file_worker.folder.iterdir())

    assert key.name in held
    pieces = {word.encode() for word in text.split()} | {canary.encode() for canary in canaries}
    assert not [piece for piece in pieces if len(piece) > 3 and piece in held]
