"""What valid JSON can hold and Python cannot: numbers beyond a double, nesting that is read and not written."""

from __future__ import annotations

import json

import pytest

from tests.proxy.live import LiveProxy
from tests.proxy.wire import ask


@pytest.mark.parametrize("field", ["ratio", "alpha"])
@pytest.mark.parametrize("number", ["9" * 400, "-" + "9" * 400, "1e999"])
async def test_a_number_beyond_a_double_is_refused(proxy: LiveProxy, field: str, number: str) -> None:
    answer = await ask(proxy.port, f'{{"text": "short", "{field}": {number}}}'.encode(), "/v1/compress")

    assert answer.status == 400
    assert answer.json()["error"]["param"] == field


async def test_what_is_nested_too_deeply_to_be_given_back_is_refused(proxy: LiveProxy) -> None:
    deep = b"[" * 1_000 + b"]" * 1_000
    body = b'{"messages": [{"role": "system", "content": "x", "more": ' + deep + b"}]}"
    answer = await ask(proxy.port, body, "/v1/compress")

    assert answer.status == 400
    assert answer.json()["error"]["param"] == "messages"


async def test_what_is_nested_less_deeply_comes_back(proxy: LiveProxy) -> None:
    deep = json.loads("[" * 300 + "]" * 300)
    message = {"role": "system", "content": "x", "more": deep}
    answer = await ask(proxy.port, {"messages": [message]}, "/v1/compress")

    assert answer.status == 200
    assert answer.json()["messages"] == [message]
