"""What the provider reports to nobody is charged as well as the proxy knows it."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.proxy.limits.conftest import Limited, bearer
from tests.proxy.limits.test_budgets import SEARCH, sent
from tests.proxy.limits.test_rates import SEARCH as RATES
from tests.proxy.limits.test_rates import answering
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat, connected, fresh, long_text, raw_request, read_chunk, read_head

EVENT = b'data: {"choices": []}\n\n'
PRICES = '{{"*": {{input: {input}, output: {output}}}}}'


def prices(put: int, out: int) -> str:
    """Dollars for a million tokens."""
    return PRICES.format(input=put, output=out)


def streaming(upstream: ScriptedUpstream, *events: bytes, pause_s: float = 0.0) -> str:
    """A model that always answers with these events."""
    model = fresh("unreported")

    async def script(exchange: Exchange) -> None:
        await exchange.stream(*events, pause_s=pause_s)

    upstream.scripts[model] = script
    return model


async def leave(proxy: LiveProxy, model: str, *texts: str, chunks: int) -> None:
    """Asks for a stream, reads so many chunks of it and hangs up; none: before the answer's head."""
    body = json.dumps(chat(model, *texts, stream=True)).encode()
    async with connected(proxy.port) as (reader, writer):
        key = ("authorization", bearer("search"))
        writer.write(raw_request("/v1/chat/completions", body, "POST", key))
        if chunks:
            await read_head(reader)
        for _ in range(chunks):
            await read_chunk(reader)
        if not chunks:
            await asyncio.sleep(0.3)
    await asyncio.sleep(0.1)


async def left(proxy: LiveProxy, upstream: ScriptedUpstream) -> int:
    """Tokens that the minute has left, told by a request whose answer costs none."""
    model = answering(upstream, b'{"error": {"message": "no"}}', status=400)
    answer = await ask(proxy.port, chat(model), authorization=bearer("search"))
    return int(answer.headers["x-ratelimit-remaining-tokens"])


async def test_streams_that_report_nothing_use_up_a_budget_in_money(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    model = streaming(upstream, *[EVENT] * 29, b"data: [DONE]\n\n")
    proxy = limited(SEARCH % "usd_per_day: 0.5", prices=prices(0, 10_000))  # a cent a token, 30 events an answer
    answers = [await sent(proxy.port, model) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]


async def test_an_answer_that_reports_nothing_costs_what_was_sent(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    model = answering(upstream, b'{"choices": []}')
    proxy = limited(SEARCH % "usd_per_day: 4", prices=prices(10_000, 0))
    answers = [await sent(proxy.port, model, long_text(500)) for _ in range(3)]

    assert 2 <= int(answers[0].headers["x-moos-tokens-after"]) / 100 < 4
    assert [answer.status for answer in answers] == [200, 200, 429]


async def test_who_leaves_a_stream_has_paid_for_what_came(limited: Limited, upstream: ScriptedUpstream) -> None:
    model = streaming(upstream, *[EVENT] * 200, pause_s=0.05)
    proxy = limited(SEARCH % "usd_per_day: 0.05", prices=prices(0, 10_000))
    await leave(proxy, model, chunks=8)

    assert (await sent(proxy.port, model)).status == 429


async def test_who_leaves_before_the_head_has_paid_for_what_was_sent(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    model = fresh("slow")

    async def script(exchange: Exchange) -> None:
        await exchange.gone(5)

    upstream.scripts[model] = script
    proxy = limited(SEARCH % "usd_per_day: 1", prices=prices(10_000, 0))
    await leave(proxy, model, long_text(500), chunks=0)
    assert len(upstream.all(model)) == 1
    assert (await sent(proxy.port, model)).status == 429

    rated = limited(RATES % "tokens_per_minute: 1000", folder="other")
    before = await left(rated, upstream)
    await leave(rated, model, long_text(500), chunks=0)
    assert before - await left(rated, upstream) > 200


async def test_usage_that_came_before_the_client_left_counts(limited: Limited, upstream: ScriptedUpstream) -> None:
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 400, "output_tokens": 1}}}
    model = streaming(upstream, b"data: " + json.dumps(begun).encode() + b"\n\n", *[EVENT] * 200, pause_s=0.05)
    proxy = limited(RATES % "tokens_per_minute: 1000")
    before = await left(proxy, upstream)
    await leave(proxy, model, chunks=8)

    assert 407 < before - await left(proxy, upstream) < 460


async def test_a_stream_that_breaks_off_counts_what_came(limited: Limited, upstream: ScriptedUpstream) -> None:
    model = fresh("broken")
    upstream.scripts[model] = lambda exchange: exchange.broken_stream()
    proxy = limited(RATES % "tokens_per_minute: 1000")
    before = await left(proxy, upstream)
    await ask(proxy.port, chat(model, stream=True), authorization=bearer("search"))

    assert before - await left(proxy, upstream) >= 2


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd"])
async def test_no_coding_hides_what_was_used(limited: Limited, upstream: ScriptedUpstream, coding: str) -> None:
    """A provider that would pack its answer as it is asked to."""
    model, usage = fresh("packed"), b'{"usage": {"prompt_tokens": 300, "completion_tokens": 300}}'

    async def script(exchange: Exchange) -> None:
        packs = coding in (exchange.request.header("accept-encoding") or "")
        packed = [("content-encoding", coding)] if packs else []
        await exchange.reply(200, b"\x0b\x02\x80" if packs else usage, *packed)

    upstream.scripts[model] = script
    proxy = limited(RATES % "tokens_per_minute: 1000")
    answers = [await sent(proxy.port, model, accept_encoding=coding) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].body == usage


async def test_a_request_refused_for_its_tokens_counts_as_a_request(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    """It was shortened before, and that work is what the rate bounds."""
    model = answering(upstream, b"{}")
    proxy = limited(RATES % "requests_per_minute: 2, tokens_per_minute: 100")
    answers = [await sent(proxy.port, model, text) for text in (long_text(500), "hello", "hello")]

    assert [answer.status for answer in answers] == [429, 200, 429]
    assert answers[1].headers["x-ratelimit-remaining-requests"] == "0"
    assert answers[2].json()["error"]["type"] == "requests"
