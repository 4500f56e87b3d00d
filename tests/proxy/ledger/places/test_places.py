"""What goes wrong with the place where rows lie: newer, locked, full, removed, damaged, killed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

from moosproxy.proxy.ledger.databases import schema
from tests.proxy.ledger.ledgers import read, record, rows, some, writer


def empty(folder: Path) -> None:
    for left in folder.iterdir():
        left.unlink()


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, timeout=100
    )


def run_three(script: str, *arguments: str) -> list[int]:
    workers = [subprocess.Popen([sys.executable, "-c", script, *arguments]) for _ in range(3)]
    return [worker.wait(100) for worker in workers]


async def test_a_newer_database_is_refused_with_the_fix_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    await writer(path).aclose()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE ledger_meta SET value = '99'")
        db.commit()
    lost: list[int] = []
    it = writer(path, on_lost=lost.append)
    await it.open()
    it.note(record())

    assert f"version 99, and this moosproxy knows {schema.VERSION}: update moosproxy" in str(it.fault)
    await it.aclose()
    assert (rows(path), lost) == ([], [1])


async def test_while_another_holds_the_lock_rows_wait_and_come_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    it = writer(path)
    await it.open()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for each in some(3):
            it.note(each)
        await it.flush()
        assert "is locked by another program" in str(it.fault)
        other.execute("ROLLBACK")
    await it.flush()

    assert it.fault is None
    await it.aclose()
    assert (len(rows(path)), it.lost) == (3, 0)


async def test_beyond_its_bound_the_queue_loses_rows_and_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    lost: list[int] = []
    it = writer(path, on_lost=lost.append, queued=5)
    for each in some(8):
        it.note(each)
    await it.aclose()

    assert (len(rows(path)), it.lost, sum(lost)) == (5, 3, 3)


async def test_a_file_that_was_taken_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    it = writer(path)
    it.note(record())
    await it.flush()
    empty(tmp_path)
    it.note(record())
    await it.flush()
    assert "was removed" in str(it.fault)
    await it.flush()
    await it.aclose()

    assert (len(rows(path)), it.lost, it.fault) == (1, 0, None)


async def test_a_damaged_file_is_named_and_left(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database at all" * 1000)
    it = writer(path)
    await it.open()

    assert "is no ledger: move it away" in str(it.fault)
    await it.aclose()
    assert path.read_bytes().startswith(b"no database")


async def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    it = writer(tmp_path / "file" / "ledger.sqlite")
    await it.open()

    assert "cannot be made" in str(it.fault)
    await it.aclose()


_FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
from tests.proxy.ledger.ledgers import NOW, read, record, writer

async def main(path):
    it = writer(Path(path), queued=2000)
    await it.open()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 1 << 40))
    for _ in range(10):
        for _ in range(500):
            it.note(record())
        await it.flush()
    fault, waiting = str(it.fault), len(it._queue)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40))
    await it.flush()
    await it.aclose()
    print(f"{fault}|{waiting}|{it.lost}")

asyncio.run(main(sys.argv[1]))
"""


def test_on_a_full_disk_rows_wait_what_is_beyond_the_queue_is_counted_and_all_else_comes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    done = run(_FULL, str(path))
    fault, waiting, lost = done.stdout.strip().split("|")

    assert "free some space" in fault
    assert int(waiting) == 2000
    assert int(lost) > 0
    assert len(rows(path)) + int(lost) == 5000
    assert rows(path, "SELECT SUM(requests) AS n FROM hours")[0]["n"] == len(rows(path))


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.proxy.ledger.ledgers import NOW, read, record, writer

async def main(path):
    it = writer(Path(path))
    for _ in range(700):
        it.note(record())
    await it.flush()
    for _ in range(50):
        it.note(record())
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_killed_worker_takes_only_what_it_had_not_written_and_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    done = run(_KILLED, str(path))
    it = writer(path)
    it.note(record())
    await it.aclose()

    assert done.returncode == -9
    assert (len(rows(path)), it.lost) == (701, 0)


async def test_workers_write_to_one_file_and_their_sums_agree(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    script = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from tests.proxy.ledger.ledgers import NOW, read, record, writer

        async def main(path):
            it = writer(Path(path))
            for _ in range(20):
                for _ in range(20):
                    it.note(record())
                await it.flush()
            await it.aclose()
            assert not it.lost

        asyncio.run(main(sys.argv[1]))
        """
    )

    assert run_three(script, str(path)) == [0, 0, 0]
    assert len(rows(path)) == 1200
    assert sum(row.requests for row in await read(path)) == 1200
