"""Numbers that no float can hold, wherever a request or an answer may have one."""

from __future__ import annotations

import json

import pytest

from moosproxy.proxy.upstreams.local import request
from moosproxy.proxy.upstreams.local.faults import ModelFault
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.routes.test_bad_input import fault
from tests.proxy.wire import ask, chat, fresh

HUGE = "1" + "0" * 400


@pytest.mark.parametrize("number", [HUGE, "-" + HUGE, "1" * 5000, "1e999", "-1e999", HUGE + ".5", "1e-400"])
@pytest.mark.parametrize("name", ["ratio", "alpha"])
async def test_numbers_beyond_a_float_are_answered_with_400(proxy: LiveProxy, name: str, number: str) -> None:
    in_body = await ask(proxy.port, f'{{"text": "some words", "{name}": {number}}}'.encode(), "/v1/compress")
    in_header = await ask(proxy.port, chat(fresh("huge")), **{f"x_moos_{name}": number})
    small = number == "1e-400" and name == "alpha"  # which is nothing, in a body

    assert in_body.status == (200 if small else 400)
    assert in_header.status == 400
    assert fault(in_header)["param"] == f"x-moos-{name}"
    if not small:
        assert fault(in_body)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "fields", [f'"logit_bias": {{"1": {HUGE}}}', f'"temperature": {HUGE}', f'"seed": {HUGE}', f'"top_k": -{HUGE}']
)
def test_a_local_model_takes_no_numbers_beyond_a_float(fields: str) -> None:
    body = json.loads(f'{{"messages": [{{}}], {fields}}}')
    with pytest.raises(ModelFault):
        request.chat(body)


def test_a_local_model_takes_no_tokens_beyond_any_vocabulary() -> None:
    for prompt in ([int(HUGE)], [[1, -int(HUGE)]]):
        with pytest.raises(ModelFault):
            request.completion({"prompt": prompt})
        with pytest.raises(ModelFault):
            request.embeddings({"input": prompt})


async def test_numbers_that_others_read_pass_as_they_came(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("huge")
    body = f'{{"model": "{model}", "seed": {HUGE}, "messages": [{{"role": "user", "content": "hi"}}]}}'.encode()

    assert (await ask(proxy.port, body)).status == 200
    assert upstream.last(model).body == body


@pytest.mark.parametrize("padding", [0, 2_000_000])
@pytest.mark.parametrize("count", [HUGE, "1e400", str(2**63), "-5"])
async def test_an_upstreams_impossible_count_of_tokens_is_no_count(
    proxy: LiveProxy, upstream: ScriptedUpstream, count: str, padding: int
) -> None:
    word = fresh("counts")
    said = f'{{"data": "{"a" * padding}", "usage": {{"prompt_tokens": {count}}}}}'.encode()

    async def answer(exchange: Exchange) -> None:
        await exchange.reply(200, said)

    upstream.scripts[word] = answer
    assert (await ask(proxy.port, chat(word))).body == said
    assert (await ask(proxy.port, b"", "/metrics", "GET")).status == 200
