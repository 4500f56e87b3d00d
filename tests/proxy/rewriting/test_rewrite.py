"""What the rewriter changes, what it leaves alone, and the one reason it gives for each text."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import Any

import pytest

from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.doors.chat import DOOR as CHAT
from moosproxy.proxy.doors.completions import DOOR as COMPLETIONS
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.outcome import Overrides
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.scheduling.scheduler import CompressionService
from tests.proxy.fakes import SOLID, FakeCompressor, prose
from tests.proxy.rewriting.requests import LONG, NONE, POLICY, chat, reasons, shortened, user


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
    one = await rewriter.rewrite({"prompt": LONG, "suffix": LONG}, POLICY, None, NONE, door=COMPLETIONS)
    assert one.body == {"prompt": shortened(LONG), "suffix": LONG}
    many = await rewriter.rewrite({"prompt": ["short", LONG]}, POLICY, None, NONE, door=COMPLETIONS)
    assert many.body == {"prompt": ["short", shortened(LONG)]}
    assert [(part.message, part.role, part.reason) for part in many.parts] == [
        (0, "user", SkipReason.TOO_SHORT),
        (1, "user", None),
    ]
    tokens = {"prompt": [[1, 2], [3]]}
    assert (await rewriter.rewrite(tokens, POLICY, None, NONE, door=COMPLETIONS)).body == tokens


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
    out = await rewriter.rewrite(body, POLICY, None, NONE, door=CHAT if "messages" in body else COMPLETIONS)
    assert out.body == before
    assert not out.changed


@pytest.mark.parametrize("role", ["system", "developer", "assistant", "unheard-of"])
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

    async def spy(text: str, settings: Any, *others: Any) -> Any:
        seen.append(settings.tokenizer)
        return await original(text, settings, *others)

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
