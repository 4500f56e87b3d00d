"""One at a time, in a fair order, never more waiting than allowed."""

from __future__ import annotations

import asyncio

import pytest

from moosproxy.proxy.scheduling.turns import QueueFull, Turns


async def _hold(turns: Turns, team: str | None, name: str, order: list[str]) -> None:
    async with turns.turn(team):
        order.append(name)
        await asyncio.sleep(0)


async def _started(*coroutines: object) -> list[asyncio.Task[None]]:
    tasks = [asyncio.ensure_future(one) for one in coroutines]  # type: ignore[call-overload]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_teams_take_turns_however_many_requests_one_of_them_has() -> None:
    turns, order = Turns(10), list[str]()
    async with turns.turn("a"):
        tasks = await _started(
            *(_hold(turns, "a", f"a{number}", order) for number in range(3)),
            *(_hold(turns, "b", f"b{number}", order) for number in range(2)),
        )
    await asyncio.gather(*tasks)

    assert ["a0", "b0", "a1", "b1", "a2"] == order
    assert not turns.busy


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    turns, order = Turns(2), list[str]()
    async with turns.turn(None):
        tasks = await _started(*(_hold(turns, None, "x", order) for _ in range(2)))
        with pytest.raises(QueueFull) as caught:
            await _hold(turns, None, "y", order)
    await asyncio.gather(*tasks)

    assert 2 == caught.value.waiting
    assert 1 <= caught.value.retry_after_s <= 600
    assert ["x", "x"] == order


async def test_one_team_cannot_fill_the_queue_for_the_others() -> None:
    turns, order = Turns(5), list[str]()
    async with turns.turn("a"):
        tasks = await _started(*(_hold(turns, "a", "a", order) for _ in range(4)))
        with pytest.raises(QueueFull):
            await _hold(turns, "a", "a", order)
        tasks += await _started(_hold(turns, "b", "b", order))
    await asyncio.gather(*tasks)

    assert 5 == len(order)


async def test_who_gives_up_waiting_is_passed_over() -> None:
    turns, order = Turns(5), list[str]()
    async with turns.turn(None):
        first, second = await _started(_hold(turns, None, "1", order), _hold(turns, None, "2", order))
        first.cancel()
        await asyncio.sleep(0)
    await second

    assert ["2"] == order
    assert not turns.busy


async def test_a_turn_that_comes_in_the_moment_of_giving_up_goes_to_the_next() -> None:
    turns, order = Turns(5), list[str]()
    async with turns.turn(None):
        first, second = await _started(_hold(turns, None, "1", order), _hold(turns, None, "2", order))
    first.cancel()  # its turn has come, but it has not run yet
    await asyncio.gather(first, second, return_exceptions=True)

    assert ["2"] == order
    assert not turns.busy


async def _retry_after(turns: Turns, running_s: float, clock: list[float]) -> int:
    """What is said to the one that comes when a turn has run for so long."""
    async with turns.turn(None):
        clock[0] += running_s
        with pytest.raises(QueueFull) as caught:
            await _hold(turns, None, "x", [])
    return caught.value.retry_after_s


async def test_short_turns_do_not_hide_that_a_long_one_is_likely_running(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock[0], raising=False)
    turns = Turns(0)
    for took in (70, *(0.1 for _ in range(9))):
        async with turns.turn(None):
            clock[0] += took

    assert 50 < await _retry_after(turns, 0.2, clock) <= 70
    assert 300 == await _retry_after(turns, 300, clock)
