"""Tokens and money a day and a month: warned of, stopped, remembered."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from moosproxy.policies.faults import PolicyError
from moosproxy.policies.files.load import assemble
from moosproxy.policies.files.sources import SourceFile, Sources
from moosproxy.proxy.observing.record import Record
from moosproxy.proxy.upstreams.usage import Usage
from tests.proxy.answers import completion
from tests.proxy.limits.conftest import KEYS, Limited, bearer
from tests.proxy.limits.test_rates import answering
from tests.proxy.live import ScriptedUpstream
from tests.proxy.wire import Response, ask, chat, long_text

SEARCH = "teams: {{search: {{keys: [{search}], budget: {{%s}}}}, sales: {{keys: [{sales}]}}}}"


async def sent(port: int, model: str, *texts: str, key: str = "search", **headers: str) -> Response:
    return await ask(port, chat(model, *texts), authorization=bearer(key), **headers)


async def test_a_budget_warns_and_then_stops_until_the_day_is_over(
    limited: Limited, upstream: ScriptedUpstream
) -> None:
    proxy = limited(SEARCH % "tokens_per_day: 60, warn: 0.5")  # each answer reports 16
    model = answering(upstream, completion())
    answers = [await sent(proxy.port, model) for _ in range(6)]

    assert [answer.status for answer in answers] == [200, 200, 200, 200, 429, 429]
    assert [answer.headers.get("x-moos-budget-warning") for answer in answers[:3]] == [
        None,
        None,
        "tokens_per_day of team search: 56% used",
    ]
    error = answers[4].json()["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "budget_exceeded")
    assert "tokens_per_day of team search is 60 tokens" in error["message"]
    assert 0 < int(answers[4].headers["retry-after"]) <= 24 * 3600
    assert answers[4].headers["x-should-retry"] == "false"
    assert (await sent(proxy.port, model, key="sales")).status == 200
    assert len(upstream.all(model)) == 5

    figures = (await ask(proxy.port, b"", "/metrics", "GET", authorization=bearer("search"))).body.decode()
    assert 'moos_limited_total{bound="tokens_per_day",team="search"} 2.0' in figures
    assert 'moos_budget_warnings_total{bound="tokens_per_day",team="search"} 4.0' in figures


async def test_a_month_is_bounded_beside_its_days(limited: Limited, upstream: ScriptedUpstream) -> None:
    proxy = limited(SEARCH % "tokens_per_day: 1000, tokens_per_month: 20")
    model = answering(upstream, completion())
    answers = [await sent(proxy.port, model) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert "tokens_per_month" in answers[2].json()["error"]["message"]


@pytest.mark.parametrize("budget", ["tokens_per_day: 0", "tokens_per_month: 0", "usd_per_day: 0"])
async def test_a_budget_of_nothing_blocks_at_once_and_says_why(
    limited: Limited, upstream: ScriptedUpstream, budget: str
) -> None:
    proxy = limited(SEARCH % budget, price=lambda record, usage: 0.0)
    model = answering(upstream, completion())
    answer = await sent(proxy.port, model)

    assert answer.status == 429
    assert "nothing may be spent; ask whoever runs this proxy" in answer.json()["error"]["message"]
    assert not upstream.all(model)


async def test_a_request_above_what_is_left_is_not_sent(limited: Limited, upstream: ScriptedUpstream) -> None:
    proxy = limited(SEARCH % "tokens_per_day: 200")
    model = answering(upstream, completion())
    answers = [await sent(proxy.port, model, text) for text in (long_text(500), "hello", long_text(500))]

    assert [answer.status for answer in answers] == [429, 200, 429]
    assert "this request alone has about" in answers[0].json()["error"]["message"]
    assert len(upstream.all(model)) == 1


async def test_a_restart_forgets_nothing(limited: Limited, upstream: ScriptedUpstream) -> None:
    model = answering(upstream, completion())
    bounds = SEARCH % "tokens_per_day: 30"
    first = limited(bounds)
    assert [(await sent(first.port, model)).status for _ in range(3)] == [200, 200, 429]
    first.__exit__()
    again = limited(bounds)
    assert (await sent(again.port, model)).status == 429
    elsewhere = limited(bounds, folder="other")
    assert (await sent(elsewhere.port, model)).status == 200


async def test_money_is_counted_at_the_price_of_each_answer(limited: Limited, upstream: ScriptedUpstream) -> None:
    def price(record: Record, usage: Usage) -> float | None:
        return usage.prompt * 0.01

    proxy = limited(SEARCH % "usd_per_day: 0.3, warn: 0.7", price=price)  # 11 tokens of a prompt each
    model = answering(upstream, completion())
    answers = [await sent(proxy.port, model) for _ in range(5)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[2].headers["x-moos-budget-warning"] == "usd_per_day of team search: 73% used"
    assert "usd_per_day of team search is 0.3 US dollars" in answers[3].json()["error"]["message"]


async def test_a_price_that_fails_fails_no_request(limited: Limited, upstream: ScriptedUpstream) -> None:
    def price(record: Record, usage: Usage) -> float:
        raise KeyError("no such model")

    proxy = limited(SEARCH % "usd_per_day: 0.3", price=price)
    model = answering(upstream, completion())

    assert [(await sent(proxy.port, model)).status for _ in range(3)] == [200, 200, 200]


NO_PRICE = "no price, so budgets in money do not count it: name one under the upstream's prices"


def loaded(text: str) -> Any:
    main = f"upstreams: {{demo: {{kind: echo}}}}\n{text}"
    return assemble(Sources(SourceFile("moos.yaml", "moos", main.encode())), {})


async def test_money_is_counted_at_the_prices_of_the_policy_file(
    limited: Limited, upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    model = answering(upstream, completion())
    priced = f"{{{model}: {{input: 10000, output: 0}}}}"  # a cent a token
    proxy = limited(SEARCH % "usd_per_day: 0.3", prices=priced)
    answers = [await sent(proxy.port, model) for _ in range(4)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]

    unpriced = limited(SEARCH % "usd_per_day: 0.3", folder="other")
    assert [(await sent(unpriced.port, model)).status for _ in range(4)] == [200] * 4
    assert [record.message for record in caplog.records].count(NO_PRICE) == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("budget: {tokens_per_day: -1}", "budget.tokens_per_day: must be greater than or equal to 0"),
        (f"budget: {{tokens_per_day: 1{'0' * 400}}}", "budget.tokens_per_day: must be less than or equal to"),
        (f"limits: {{tokens_per_minute: 1{'0' * 16}}}", "limits.tokens_per_minute: must be less than or equal"),
        (f"limits: {{requests_per_minute: 1{'0' * 16}}}", "limits.requests_per_minute: must be less than"),
        ("budget: {tokens_per_month: 1.5}", "budget.tokens_per_month: must be a valid integer"),
        ("budget: {usd_per_day: .nan}", "budget.usd_per_day: must be"),
        ("budget: {warn: 2}", "budget.warn: must be less than or equal to 1"),
        ("budget: {tokens_per_week: 1}", "budget.tokens_per_week: unknown key"),
        ("limits: {requests_per_minute: -5}", "limits.requests_per_minute: must be greater"),
        ("limits: {requests_per_minute: true}", "must be a number, not true or false"),
        ("teams: {a: {limits: {tokens_per_minute: x}}}", "teams.a.limits.tokens_per_minute: must be"),
    ],
)
def test_what_is_no_amount_is_refused_at_load(text: str, fault: str) -> None:
    with pytest.raises(PolicyError) as caught:
        loaded(text)
    assert fault in str(caught.value)


def test_a_teams_fields_go_before_the_main_files_and_null_lifts_them() -> None:
    found = loaded(
        "limits: {requests_per_minute: 5, tokens_per_minute: 6}\nbudget: {tokens_per_day: 7}\n"
        "teams: {a: {limits: {requests_per_minute: 8}, budget: {tokens_per_day: null}}, b: {}}"
    )
    by_team = found.allowances

    assert (by_team["a"].limits.requests_per_minute, by_team["a"].limits.tokens_per_minute) == (8, 6)
    assert by_team["a"].budget.tokens_per_day is None
    assert by_team["b"] == by_team[None]


def test_clients_do_not_try_a_used_up_budget_again(limited: Limited, upstream: ScriptedUpstream) -> None:
    proxy = limited(SEARCH % "tokens_per_day: 0")
    with (
        openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEYS["search"], max_retries=3) as client,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
    assert caught.value.code == "budget_exceeded"
    with (
        anthropic.Anthropic(base_url=proxy.url, api_key=KEYS["search"], max_retries=3) as other,
        pytest.raises(anthropic.RateLimitError),
    ):
        other.messages.create(model="claude", max_tokens=9, messages=[{"role": "user", "content": "hello"}])

    with openai.OpenAI(base_url=proxy.url, api_key=KEYS["search"]) as reader:
        figures = reader.get("/metrics", cast_to=str)
    assert 'moos_limited_total{bound="tokens_per_day",team="search"} 2.0' in figures
