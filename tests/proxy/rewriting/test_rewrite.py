"""What the rewriter changes, what it leaves alone, and the one reason it gives for each text."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.errors import CompressionRejected
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.outcome import Overrides, Rewritten
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.scheduling.scheduler import CompressionService
from tests.proxy.fakes import BOOM, SOLID, FakeCompressor, prose

NONE = Overrides()
POLICY = Policy()
LONG = prose(400)


@pytest.fixture
def fake() -> FakeCompressor:
    return FakeCompressor()


@pytest.fixture
async def service(fake: FakeCompressor) -> AsyncIterator[CompressionService]:
    service = CompressionService(fake, max_queued_tokens=50_000, batch_windows=4)
    yield service
    fake.gate.set()
    await service.aclose()


@pytest.fixture
def rewriter(service: CompressionService) -> Rewriter:
    return Rewriter(service, Store(LocalCache(10_000_000)))


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "any", "messages": list(messages), **fields}


def user(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **fields}


def shortened(text: str, ratio: int = 2) -> str:
    return " ".join(text.split()[::ratio])


def reasons(rewritten: Rewritten) -> list[SkipReason | None]:
    return [part.reason for part in rewritten.parts]


async def test_a_long_message_goes_out_shorter_and_the_callers_body_is_not_touched(rewriter: Rewriter) -> None:
    body = chat(user(LONG, name="ann"), temperature=0.5)
    before = copy.deepcopy(body)
    out = await rewriter.rewrite(body, POLICY, None, NONE)
    assert out.body == chat(user(shortened(LONG), name="ann"), temperature=0.5)
    assert out.changed
    assert (out.tokens_before, out.tokens_after, out.ratio) == (400, 200, 2)
    assert body == before


async def test_text_parts_of_an_array_are_shortened_and_all_other_parts_stay(rewriter: Rewriter) -> None:
    others = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 5000}},
        {"type": "input_audio", "input_audio": {"data": "A" * 5000, "format": "wav"}},
        {"type": "file", "file": {"file_data": LONG}, "text": LONG},
        {"type": "text", "text": 7},
        {"text": LONG},
        LONG,
        None,
    ]
    cached = {"cache_control": {"type": "ephemeral"}}
    body = chat(user([{"type": "text", "text": LONG, **cached}, *others, {"type": "input_text", "text": LONG}]))
    out = await rewriter.rewrite(body, POLICY, None, NONE)
    content = out.body["messages"][0]["content"]
    assert content[0] == {"type": "text", "text": shortened(LONG), **cached}
    assert content[1:-1] == others
    assert content[-1] == {"type": "input_text", "text": shortened(LONG)}
    assert [(part.message, part.part) for part in out.parts] == [(0, 0), (0, 8)]


async def test_tools_and_tool_calls_stay_while_the_tools_result_is_shortened(rewriter: Rewriter) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"x": LONG})}}
    assistant = {"role": "assistant", "content": None, "tool_calls": [call]}
    tools = [{"type": "function", "function": {"name": "f", "description": LONG}}]
    fields = {"tools": tools, "response_format": {"type": "json_object"}, "user": LONG}
    body = chat(assistant, {"role": "tool", "tool_call_id": "c1", "content": LONG}, **fields)
    out = await rewriter.rewrite(body, POLICY, None, NONE)
    result = {"role": "tool", "tool_call_id": "c1", "content": shortened(LONG)}
    assert out.body == chat(assistant, result, **fields)
    assert out.body["tools"] is tools


async def test_a_completion_prompt_is_a_users_text_alone_or_in_a_list(rewriter: Rewriter) -> None:
    one = await rewriter.rewrite({"prompt": LONG, "suffix": LONG}, POLICY, None, NONE)
    assert one.body == {"prompt": shortened(LONG), "suffix": LONG}
    many = await rewriter.rewrite({"prompt": ["short", LONG]}, POLICY, None, NONE)
    assert many.body == {"prompt": ["short", shortened(LONG)]}
    assert [(part.message, part.role, part.reason) for part in many.parts] == [
        (0, "user", SkipReason.TOO_SHORT),
        (1, "user", None),
    ]
    tokens = {"prompt": [[1, 2], [3]]}
    assert (await rewriter.rewrite(tokens, POLICY, None, NONE)).body == tokens


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None},
        {"messages": "text"},
        {"messages": {"role": "user", "content": LONG}},
        {"messages": [LONG, 7, None, []]},
        {"messages": [{"role": "user"}, {"role": "user", "content": 7}, {"role": "user", "content": {}}]},
        {"messages": [{"content": LONG}, {"role": 7, "content": LONG}, {"role": ["user"], "content": LONG}]},
        {"messages": [user([{"type": ["text"], "text": LONG}, {"type": None, "text": LONG}])]},
        {"messages": [], "prompt": LONG},
        {"prompt": 7},
        {"prompt": {"text": LONG}},
        {"model": ["x"], "input": LONG},
    ],
    ids=str,
)
async def test_shapes_that_we_do_not_know_are_left_to_the_upstream(
    rewriter: Rewriter, body: dict[str, Any]
) -> None:
    before = copy.deepcopy(body)
    out = await rewriter.rewrite(body, POLICY, None, NONE)
    assert out.body == before
    assert not out.changed


@pytest.mark.parametrize("role", ["system", "developer", "assistant", "function", "unheard-of"])
async def test_other_roles_stay(rewriter: Rewriter, role: str) -> None:
    body = chat({"role": role, "content": LONG})
    out = await rewriter.rewrite(body, POLICY, None, NONE)
    assert out.body == body
    assert reasons(out) == [SkipReason.ROLE]


async def test_the_policy_names_the_roles(rewriter: Rewriter) -> None:
    policy = Policy(compress_roles=frozenset({"system"}), protected_roles=frozenset({"user"}))
    out = await rewriter.rewrite(chat({"role": "system", "content": LONG}, user(LONG)), policy, None, NONE)
    assert reasons(out) == [None, SkipReason.ROLE]


@pytest.mark.parametrize(
    ("policy", "overrides", "reason"),
    [
        (Policy(enabled=False), NONE, SkipReason.DISABLED),
        (Policy(enabled=False), Overrides(bypass=True), SkipReason.DISABLED),
        (Policy(ratio=1), NONE, SkipReason.DISABLED),
        (POLICY, Overrides(ratio=1), SkipReason.DISABLED),
        (POLICY, Overrides(bypass=True), SkipReason.BYPASS),
        (Policy(min_tokens=5_000), NONE, SkipReason.TOO_SHORT),
        (Policy(min_savings=0.51), NONE, SkipReason.NOT_WORTH_IT),
    ],
)
async def test_each_untouched_text_has_the_first_reason_that_holds(
    rewriter: Rewriter, policy: Policy, overrides: Overrides, reason: SkipReason
) -> None:
    body = chat(user(LONG))
    out = await rewriter.rewrite(body, policy, None, overrides)
    assert reasons(out) == [reason]
    assert out.body == body
    assert out.tokens_after == out.tokens_before > 0


async def test_a_text_with_nothing_to_cut_is_a_protected_kind_also_from_the_cache(rewriter: Rewriter) -> None:
    body = chat(user(f"{SOLID} {LONG}"))
    first = await rewriter.rewrite(body, POLICY, None, NONE)
    second = await rewriter.rewrite(body, POLICY, None, NONE)
    assert reasons(first) == reasons(second) == [SkipReason.PROTECTED_KIND]
    assert [first.cache_hits, second.cache_hits] == [0, 1]
    assert first.tokens_before == second.tokens_before == 401


async def test_a_decision_that_needs_no_model_never_asks_for_one(rewriter: Rewriter, fake: FakeCompressor) -> None:
    body = chat({"role": "system", "content": LONG}, user("short"), user(""))
    out = await rewriter.rewrite(body, POLICY, None, NONE)
    assert reasons(out) == [SkipReason.ROLE, SkipReason.TOO_SHORT, SkipReason.TOO_SHORT]
    assert fake.planned == 0


async def test_policies_that_differ_in_what_is_worth_it_have_answers_of_their_own(rewriter: Rewriter) -> None:
    body = chat(user(LONG))
    strict = await rewriter.rewrite(body, Policy(min_savings=0.6), None, NONE)
    lenient = await rewriter.rewrite(body, Policy(min_savings=0.4), None, NONE)
    assert reasons(strict) == [SkipReason.NOT_WORTH_IT]
    assert reasons(lenient) == [None]
    assert lenient.cache_hits == 0


async def test_ratio_and_alpha_of_the_request_count_and_have_answers_of_their_own(rewriter: Rewriter) -> None:
    body = chat(user(LONG))
    await rewriter.rewrite(body, POLICY, None, NONE)
    out = await rewriter.rewrite(body, POLICY, None, Overrides(ratio=4))
    assert out.body == chat(user(shortened(LONG, 4)))
    assert out.cache_hits == 0
    assert (await rewriter.rewrite(body, POLICY, None, Overrides(alpha=0.5))).cache_hits == 0


async def test_equal_texts_of_one_request_are_compressed_once(rewriter: Rewriter, fake: FakeCompressor) -> None:
    out = await rewriter.rewrite(chat(*[user(LONG)] * 5), POLICY, None, NONE)
    assert out.body == chat(*[user(shortened(LONG))] * 5)
    assert fake.planned == 1


async def test_equal_texts_of_requests_at_the_same_time_are_compressed_once(
    rewriter: Rewriter, fake: FakeCompressor
) -> None:
    calls = [rewriter.rewrite(chat(user(LONG)), POLICY, None, NONE) for _ in range(10)]
    outs = await asyncio.gather(*calls)
    assert all(out.body == chat(user(shortened(LONG))) for out in outs)
    assert fake.planned == 1


async def test_teams_roles_and_compressors_do_not_share_answers(fake: FakeCompressor) -> None:
    store = Store(LocalCache(10_000_000))
    hits = []
    for fingerprint, role, team in [
        ("a", "user", None),
        ("a", "user", "search"),
        ("a", "user", "sales"),
        ("a", "tool", "sales"),
        ("b", "tool", "sales"),
        ("b", "tool", "sales"),
    ]:
        service = CompressionService(FakeCompressor(fingerprint=fingerprint))
        out = await Rewriter(service, store).rewrite(chat({"role": role, "content": LONG}), POLICY, team, NONE)
        hits.append(out.cache_hits)
        await service.aclose()
    assert hits == [0, 0, 0, 0, 0, 1]


async def test_shadow_measures_and_forwards_the_original(rewriter: Rewriter) -> None:
    body = chat(user(LONG))
    out = await rewriter.rewrite(body, Policy(shadow=True), None, NONE)
    assert out.body == body
    assert not out.changed
    assert out.shadow
    assert (out.tokens_before, out.tokens_after) == (400, 200)


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


async def test_lone_surrogates_and_other_odd_text_come_through(rewriter: Rewriter) -> None:
    odd = "\ud800 \x00 " + prose(400, "\u202e漢😀")
    out = await rewriter.rewrite(chat(user(odd)), POLICY, None, NONE)
    assert reasons(out) == [None]
    assert out.body["messages"][0]["content"] == shortened(odd)


@pytest.mark.parametrize(
    ("model", "tokenizer", "expected"),
    [
        ("gpt-4o", "auto", "o200k_base"),
        ("openai/gpt-4", "auto", "cl100k_base"),
        ("qwen2.5", "auto", None),
        ("x" * 10_000, "auto", None),
        ("gpt-4o", None, None),
        ("qwen2.5", "o200k_base", "o200k_base"),
    ],
)
async def test_tokens_are_counted_the_models_way_unless_the_policy_says_otherwise(
    service: CompressionService, model: str, tokenizer: str | None, expected: str | None
) -> None:
    seen: list[str | None] = []
    original = service.compress

    async def spy(text: str, settings: Any, team: str | None, deadline: float) -> Any:
        seen.append(settings.tokenizer)
        return await original(text, settings, team, deadline)

    service.compress = spy  # type: ignore[method-assign]
    rewriter = Rewriter(service, Store(LocalCache(1_000_000)))
    await rewriter.rewrite({**chat(user(LONG)), "model": model}, Policy(tokenizer=tokenizer), None, NONE)
    assert seen == [expected]


async def test_others_get_their_turn_while_a_request_of_very_many_messages_is_looked_at(
    rewriter: Rewriter,
) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    await rewriter.rewrite(chat(*[user("a")] * 20_000), POLICY, None, NONE)
    beside.cancel()

    assert turns > 50
