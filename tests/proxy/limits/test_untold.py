"""What a worker lets through before the others hear of it is a hundredth of a limit, however quiet it is then."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from moosproxy.policies.fields.allowance import Allowance, Limits
from moosproxy.proxy.errors import RateLimited
from moosproxy.proxy.limits import tally as module
from moosproxy.proxy.limits.file_book import FileBook
from moosproxy.proxy.limits.gate import Ticket
from moosproxy.proxy.limits.meters import Account
from moosproxy.proxy.limits.tally import Tally


def worker(folder: Path, requests: int, workers: int = 2) -> Ticket:
    tally = Tally(FileBook(folder), workers)
    account = Account.of(tally, "search", Allowance(limits=Limits(requests_per_minute=requests)), None)
    assert account is not None
    return Ticket(tally, account)


async def let_in(ticket: Ticket, most: int) -> int:
    """How many of so many requests, one after the other, are let in."""
    for done in range(most):
        try:
            await ticket.take(ticket.account.requests, 1)
        except RateLimited:
            return done
    return most


@pytest.mark.parametrize(("limit", "beyond"), [(20, 0), (99, 0), (1000, 10)])
async def test_one_worker_goes_quiet_and_the_other_takes_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, beyond: int
) -> None:
    monkeypatch.setattr(module, "EXCHANGE_S", 60)  # nobody tells of itself: what is asked for is all that is heard
    monkeypatch.setattr(module, "_PATIENCE_S", 20)
    workers = [worker(tmp_path, limit) for _ in range(2)]
    first = await let_in(workers[0], limit // 3)
    rest = await let_in(workers[1], 2 * limit)
    first += await let_in(workers[0], limit)
    for each in workers:
        await each._tally.aclose()

    assert limit <= first + rest <= limit + beyond


async def test_what_was_refused_to_one_worker_is_soon_free_for_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXCHANGE_S", 60)
    monkeypatch.setattr(module, "_PATIENCE_S", 20)
    first, second = (worker(tmp_path, 1000) for _ in range(2))
    await first.take(first.account.requests, 500)
    await first._tally.ask()
    monkeypatch.setattr(module, "STALE_S", 0)  # whoever asks for too much is asked for, and so told of, first
    with pytest.raises(RateLimited):
        await first.take(first.account.requests, 900)
    await asyncio.sleep(0.3)
    await second.take(second.account.requests, 100)
    for each in (first, second):
        await each._tally.aclose()


@pytest.mark.parametrize("turns", [1, 2, 3, 4])
async def test_a_loop_that_stands_still_leaves_no_worker_alone(tmp_path: Path, turns: int) -> None:
    ticket = worker(tmp_path, 10, workers=4)
    alone: list[bool] = []
    ticket._tally.on_alone = lambda: alone.append(True)
    await ticket.take(ticket.account.requests, 1)
    asked = [asyncio.create_task(let_in(ticket, 1)) for _ in range(5)]
    for _ in range(turns):
        await asyncio.sleep(0)
    time.sleep(0.5)  # noqa: ASYNC251 (that is what is tested)

    assert await asyncio.gather(*asked) == [1] * 5 and not alone
    await ticket._tally.aclose()


async def test_workers_that_open_a_new_file_together_all_count_in_it(tmp_path: Path) -> None:
    """SQLite fails a switch to its log at once where another one is under way."""
    script = (
        "import asyncio, sys, time; from pathlib import Path\n"
        "from moosproxy.proxy.limits.book import Change\n"
        "from moosproxy.proxy.limits.file_book import FileBook\n"
        "async def main():\n"
        "    for at in range(40):\n"
        "        time.sleep(max(0, float(sys.argv[2]) + 0.05 * at - time.time()))\n"
        "        book = FileBook(Path(sys.argv[1]) / str(at))\n"
        "        await book.add([Change('x', 1, 2**40)])\n"
        "        await book.aclose()\n"
        "asyncio.run(main())\n"
    )
    begin = str(time.time() + 3)
    command = (sys.executable, "-c", script, str(tmp_path), begin)
    processes = [await asyncio.create_subprocess_exec(*command, env=dict(os.environ)) for _ in range(3)]
    assert [await each.wait() for each in processes] == [0, 0, 0]
