"""Requests and tokens a minute, as clients see them."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import anthropic
import openai
import pytest

from moosproxy.proxy.limits.file_book import FileBook
from moosproxy.proxy.limits.meters import Bound, Meter
from moosproxy.proxy.limits.tally import Tally
from tests.proxy.answers import anthropic_message, completion
from tests.proxy.limits.conftest import KEYS, Limited, bearer
from tests.proxy.live import Exchange, ScriptedUpstream
from tests.proxy.wire import ask, chat, fresh, long_text


def answering(upstream: ScriptedUpstream, body: bytes, *headers: tuple[str, str], status: int = 200) -> str:
    """A model that always answers so."""
    model = fresh("limited")

    async def script(exchange: Exchange) -> None:
        await exchange.reply(status, body, *headers)

    upstream.scripts[model] = script
    return model


SEARCH = "teams: {{search: {{keys: [{search}], limits: {{%s}}}}, sales: {{keys: [{sales}]}}}}"


async def test_the_request_above_the_rate_is_refused_in_openais_words(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    proxy = limited(SEARCH % "requests_per_minute: 3")
    model = answering(upstream, completion(), ("x-ratelimit-limit-requests", "9999"))
    answers = [await ask(proxy.port, chat(model), authorization=bearer("search")) for _ in range(5)]
    other = await ask(proxy.port, chat(model), authorization=bearer("sales"))

    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert len(upstream.all(model)) == 4
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers[:3]] == ["2", "1", "0"]
    assert answers[0].headers["x-ratelimit-limit-requests"] == "3"
    assert other.headers["x-ratelimit-limit-requests"] == "9999"
    error = answers[3].json()["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert "requests_per_minute of team search is 3" in error["message"]
    assert 0 < int(answers[3].headers["retry-after"]) <= 60


async def test_reading_is_free_and_refused_requests_count_for_nothing(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    proxy = limited(SEARCH % "requests_per_minute: 2")
    for _ in range(4):
        assert (await ask(proxy.port, b"", "/v1/models", "GET", authorization=bearer("search"))).status == 200
    statuses = [
        (await ask(proxy.port, chat("m"), path, authorization=bearer("search"))).status
        for path in ("/v1/chat/completions", "/v1/compress", "/v1/embeddings")
    ]

    assert statuses == [200, 200, 429]


async def test_many_at_once_get_through_as_often_as_is_allowed(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    proxy = limited(SEARCH % "requests_per_minute: 10")
    model = answering(upstream, completion())
    answers = await asyncio.gather(
        *(ask(proxy.port, chat(model), authorization=bearer("search")) for _ in range(40))
    )

    assert sorted(answer.status for answer in answers) == [200] * 10 + [429] * 30
    assert len(upstream.all(model)) == 10


async def test_tokens_are_those_sent_and_then_those_reported(limited: Limited, upstream: ScriptedUpstream) -> None:
    proxy = limited(SEARCH % "tokens_per_minute: 400")
    model = answering(upstream, completion())  # reports 16 tokens
    first = await ask(proxy.port, chat(model, long_text(500)), authorization=bearer("search"))
    second = await ask(proxy.port, chat(model, long_text(500)), authorization=bearer("search"))

    sent = int(first.headers["x-moos-tokens-after"])
    assert 200 < sent < 400  # half of what came: the whole would not have fitted
    assert first.headers["x-ratelimit-remaining-tokens"] == str(400 - sent)
    assert second.headers["x-ratelimit-remaining-tokens"] == str(400 - sent - 16)


async def test_an_error_of_the_provider_costs_no_tokens(limited: Limited, upstream: ScriptedUpstream) -> None:
    proxy = limited(SEARCH % "tokens_per_minute: 400")
    failing = answering(upstream, b'{"error": {"message": "no"}}', status=400)
    left = [
        (await ask(proxy.port, chat(failing, long_text(500)), authorization=bearer("search"))).headers[
            "x-ratelimit-remaining-tokens"
        ]
        for _ in range(3)
    ]

    assert len(set(left)) == 1


async def test_a_stream_that_reports_nothing_counts_by_its_events(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    proxy = limited(SEARCH % "tokens_per_minute: 1000")
    model = fresh("stream")

    async def script(exchange: Exchange) -> None:
        await exchange.stream(*[b'data: {"choices": []}\n\n'] * 30, b"data: [DONE]\n\n")

    upstream.scripts[model] = script
    first = await ask(proxy.port, chat(model, stream=True), authorization=bearer("search"))
    second = await ask(proxy.port, chat(model, stream=True), authorization=bearer("search"))
    left = [int(answer.headers["x-ratelimit-remaining-tokens"]) for answer in (first, second)]

    sent = 1000 - left[0]
    assert left[0] - left[1] == sent + 31


async def test_a_request_that_never_fits_is_not_to_be_tried_again(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    proxy = limited(SEARCH % "tokens_per_minute: 10")
    answer = await ask(proxy.port, chat("m", long_text(500)), authorization=bearer("search"))

    assert answer.status == 429
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    assert "this request alone has about" in answer.json()["error"]["message"]


async def test_counting_tokens_spends_none(limited: Limited, upstream: ScriptedUpstream) -> None:
    proxy = limited(SEARCH % "tokens_per_minute: 10")
    answer = await ask(
        proxy.port,
        chat("claude", long_text(500)),
        "/v1/messages/count_tokens",
        **{"x-api-key": KEYS["search"]},
    )

    assert answer.status == 200


async def test_a_key_is_bounded_besides_its_team(limited: Limited, upstream: ScriptedUpstream) -> None:
    key = "{{sha256: {other}, limits: {{requests_per_minute: 1}}}}"
    team = "teams: {{search: {{keys: [{search}, KEY], limits: {{requests_per_minute: 3}}}}}}"
    proxy = limited(team.replace("KEY", key))
    statuses = [
        (await ask(proxy.port, chat("m"), authorization=bearer(name))).status
        for name in ("other", "other", "search", "search", "search")
    ]

    assert statuses == [200, 429, 200, 200, 429]


async def test_who_needs_no_key_has_the_main_files_limits(limited: Limited, upstream: ScriptedUpstream) -> None:
    proxy = limited("limits: {{requests_per_minute: 1}}")
    answers = [await ask(proxy.port, chat("m")) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 429]
    assert "requests_per_minute of this proxy is 1" in answers[1].json()["error"]["message"]


def test_openais_client_sees_a_rate_limit_and_waits_as_told(limited: Limited, upstream: ScriptedUpstream) -> None:
    proxy = limited(SEARCH % "requests_per_minute: 1")
    model = answering(upstream, completion())
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEYS["search"], max_retries=0) as client:
        ask_it = client.chat.completions.with_raw_response.create
        first = ask_it(model=model, messages=[{"role": "user", "content": "hello"}])
        assert first.headers["x-ratelimit-remaining-requests"] == "0"
        assert first.headers["x-ratelimit-reset-requests"].endswith("s")
        with pytest.raises(openai.RateLimitError) as caught:
            ask_it(model=model, messages=[{"role": "user", "content": "hello"}])
        wait_s = int(caught.value.response.headers["retry-after"])
        assert caught.value.code == "rate_limit_exceeded"
        assert client._calculate_retry_timeout(2, client_options(client), caught.value.response.headers) == wait_s


def client_options(client: openai.OpenAI) -> object:
    from openai._models import FinalRequestOptions

    return FinalRequestOptions.construct(method="post", url="/")


def test_anthropics_client_sees_its_own_shape(limited: Limited, upstream: ScriptedUpstream) -> None:
    proxy = limited(SEARCH % "requests_per_minute: 1")
    model = "claude-" + fresh("limited")

    async def script(exchange: Exchange) -> None:
        await exchange.reply(200, anthropic_message(), ("anthropic-ratelimit-requests-limit", "9999"))

    upstream.scripts[model] = script
    with anthropic.Anthropic(base_url=proxy.url, api_key=KEYS["search"], max_retries=0) as client:
        ask_it = client.messages.with_raw_response.create
        first = ask_it(model=model, max_tokens=9, messages=[{"role": "user", "content": "hello"}])
        assert first.headers["anthropic-ratelimit-requests-limit"] == "1"
        assert first.headers["anthropic-ratelimit-requests-remaining"] == "0"
        with pytest.raises(anthropic.RateLimitError) as caught:
            ask_it(model=model, max_tokens=9, messages=[{"role": "user", "content": "hello"}])
        body = json.loads(caught.value.response.content)
        assert body["error"]["type"] == "rate_limit_error"
        assert int(caught.value.response.headers["retry-after"]) >= 1


async def test_what_is_left_is_told_right_at_the_turn_of_a_minute(tmp_path: Path) -> None:
    tally = Tally(FileBook(tmp_path))
    began = 60.0 * (time.time() // 60)
    meter = Meter(
        tally, "team:x", Bound("team x", "requests_per_minute", "requests", "minute", 1, None), began + 59.9
    )
    tally.add(meter.at(began + 59.9), 1)

    assert meter.left(began + 59.9) == 0
    assert meter.left(began + 60.01) == 0
    await tally.aclose()
