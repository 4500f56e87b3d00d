"""A process that writes its own value under every name it is given, and says what stands there afterwards.

Run as `python -m tests.proxy.cache.racer FOLDER LETTER COUNT`. Opens the file, says so, starts at a line on
standard input, and ends with one line of the letters that stand.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from moosproxy.proxy.cache.file_cache import FileCache


def name_of(number: int) -> bytes:
    return b"moos:1:%064d" % number


async def race(folder: Path, letter: bytes, count: int) -> None:
    cache = FileCache(folder, timeout_ms=5_000)
    assert await cache.connect()
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    standing = [await cache.put_first(name_of(number), letter, 60) for number in range(count)]
    print(b"".join(value or b"?" for value in standing).decode(), flush=True)  # noqa: T201
    await cache.aclose()


if __name__ == "__main__":
    asyncio.run(race(Path(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])))
