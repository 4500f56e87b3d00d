"""Clients that leave, deadlines, overload, failures: the original goes out, or an error if the policy says so."""

from __future__ import annotations

import asyncio

import pytest

from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.errors import CompressionRejected
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.scheduling.scheduler import CompressionService
from tests.proxy.fakes import BOOM, SOLID, FakeCompressor, prose
from tests.proxy.rewriting.requests import LONG, NONE, POLICY, chat, reasons, user


async def test_one_client_that_leaves_does_not_spoil_the_computation_it_shared(
    rewriter: Rewriter, fake: FakeCompressor
) -> None:
    fake.gate.clear()
    leaving = asyncio.create_task(rewriter.rewrite(chat(user(LONG)), POLICY, None, NONE))
    await asyncio.sleep(0.02)
    staying = asyncio.create_task(rewriter.rewrite(chat(user(LONG)), POLICY, None, NONE))
    await asyncio.sleep(0.02)
    leaving.cancel()
    await asyncio.sleep(0.02)
    fake.gate.set()
    assert reasons(await staying) == [None]
    assert leaving.cancelled()
    assert fake.planned == 1


async def test_when_the_last_client_leaves_no_window_is_scored_for_it(
    rewriter: Rewriter, fake: FakeCompressor
) -> None:
    fake.gate.clear()
    long = chat(user(prose(64 * 20)))
    tasks = [asyncio.create_task(rewriter.rewrite(long, POLICY, None, NONE)) for _ in range(3)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    fake.gate.set()
    await rewriter.rewrite(chat(user(prose(300, "next"))), POLICY, None, NONE)
    assert [len(batch) for batch in fake.scored] == [4, 4, 1]
    assert all("next" in window for batch in fake.scored[1:] for window in batch)


async def test_a_missed_deadline_forwards_the_original_and_so_does_every_later_turn(
    rewriter: Rewriter, fake: FakeCompressor
) -> None:
    fake.gate.clear()
    body = chat(user(LONG))
    missed = await rewriter.rewrite(body, Policy(deadline_ms=50), None, NONE)
    fake.gate.set()
    later = await rewriter.rewrite(body, POLICY, None, NONE)
    assert missed.body == later.body == body
    assert reasons(missed) == reasons(later) == [SkipReason.DEADLINE]
    assert [missed.cache_hits, later.cache_hits] == [0, 1]


async def test_a_pin_ends_with_its_time_to_live(service: CompressionService, fake: FakeCompressor) -> None:
    rewriter = Rewriter(service, Store(LocalCache(10_000_000)), pin_ttl_s=1)
    fake.gate.clear()
    await rewriter.rewrite(chat(user(LONG)), Policy(deadline_ms=20), None, NONE)
    fake.gate.set()
    await asyncio.sleep(1.1)
    assert reasons(await rewriter.rewrite(chat(user(LONG)), POLICY, None, NONE)) == [None]


async def test_overload_and_failure_forward_the_original_and_are_pinned(
    rewriter: Rewriter, fake: FakeCompressor
) -> None:
    huge, bad = chat(user(prose(60_000))), chat(user(f"{BOOM} {LONG}"))
    for body, reason in ((huge, SkipReason.OVERLOADED), (bad, SkipReason.FAILED)):
        first = await rewriter.rewrite(body, POLICY, None, NONE)
        calls = len(fake.scored)
        second = await rewriter.rewrite(body, POLICY, None, NONE)
        assert first.body == second.body == body
        assert reasons(first) == reasons(second) == [reason]
        assert len(fake.scored) == calls


async def test_a_failure_of_one_text_does_not_touch_the_others(rewriter: Rewriter) -> None:
    bad = f"{BOOM} {LONG}"
    out = await rewriter.rewrite(chat(user(LONG), user(bad), user(prose(400, "x"))), POLICY, None, NONE)
    assert reasons(out) == [None, SkipReason.FAILED, None]
    assert out.body["messages"][1] == user(bad)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        (f"{BOOM} {LONG}", Policy(on_error="reject")),
        (prose(60_000), Policy(on_error="reject")),
        (LONG, Policy(on_error="reject", deadline_ms=30)),
    ],
    ids=["failed", "overloaded", "deadline"],
)
async def test_a_policy_that_rejects_gets_an_error_without_the_text_and_nothing_is_pinned(
    rewriter: Rewriter, fake: FakeCompressor, text: str, policy: Policy
) -> None:
    if policy.deadline_ms < 100:
        fake.gate.clear()
    with pytest.raises(CompressionRejected) as caught:
        await rewriter.rewrite(chat(user(text)), policy, None, NONE)
    assert "w1" not in caught.value.message
    fake.gate.set()
    if text is LONG:
        patient = Policy(on_error="reject")
        assert reasons(await rewriter.rewrite(chat(user(text)), patient, None, NONE)) == [None]


async def test_a_policy_that_rejects_is_not_bound_by_the_pins_of_one_that_forwards(
    rewriter: Rewriter, fake: FakeCompressor
) -> None:
    fake.gate.clear()
    await rewriter.rewrite(chat(user(LONG)), Policy(deadline_ms=20), None, NONE)
    fake.gate.set()
    out = await rewriter.rewrite(chat(user(LONG)), Policy(on_error="reject"), None, NONE)
    assert reasons(out) == [None]


async def test_a_policy_that_rejects_still_skips_what_it_skips_by_choice(rewriter: Rewriter) -> None:
    body = chat({"role": "system", "content": LONG}, user("short"), user(f"{SOLID} {LONG}"))
    out = await rewriter.rewrite(body, Policy(on_error="reject"), None, NONE)
    assert reasons(out) == [SkipReason.ROLE, SkipReason.TOO_SHORT, SkipReason.PROTECTED_KIND]


async def test_without_a_compressor_every_eligible_text_counts_as_failed() -> None:
    rewriter = Rewriter(None, Store(LocalCache(1_000_000)))
    out = await rewriter.rewrite(chat(user(LONG), user("short")), POLICY, None, NONE)
    assert reasons(out) == [SkipReason.FAILED, SkipReason.TOO_SHORT]
    with pytest.raises(CompressionRejected):
        await rewriter.rewrite(chat(user(LONG)), Policy(on_error="reject"), None, NONE)


async def test_a_failure_is_logged_without_the_text(rewriter: Rewriter, caplog: pytest.LogCaptureFixture) -> None:
    await rewriter.rewrite(chat(user(f"{BOOM} {LONG}")), POLICY, None, NONE)
    assert "RuntimeError" in caplog.text
    assert "w1" not in caplog.text


async def test_what_came_late_counts_once_the_pin_has_ended(
    service: CompressionService, fake: FakeCompressor
) -> None:
    rewriter = Rewriter(service, Store(LocalCache(10_000_000)), pin_ttl_s=2)
    fake.score_s = 0.2
    body = chat(user(LONG))
    missed = await rewriter.rewrite(body, Policy(deadline_ms=300), None, NONE)
    await asyncio.sleep(0.5)
    pinned = await rewriter.rewrite(body, POLICY, None, NONE)
    await asyncio.sleep(2.0)
    after = await rewriter.rewrite(body, POLICY, None, NONE)

    assert reasons(missed) == reasons(pinned) == [SkipReason.DEADLINE]
    assert reasons(after) == [None]
    assert fake.planned == 1
