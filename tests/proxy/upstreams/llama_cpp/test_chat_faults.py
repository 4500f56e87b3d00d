"""What a local model refuses, and in which words."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest

from moosproxy.proxy.upstreams.llama_cpp.process.chat_template import ChatTemplate
from moosproxy.proxy.upstreams.llama_cpp.process.marks import Marks
from tests.proxy import tiny_gguf
from tests.proxy.live import LiveProxy
from tests.proxy.upstreams.llama_cpp.conftest import HELLO, WEATHER, pids

pytestmark = tiny_gguf.needs_llama_cpp


@pytest.mark.parametrize("tokens", [[99_999_999], [-1], [4_294_967_297], []])
def test_tokens_that_the_model_does_not_know_are_refused(client: openai.OpenAI, tokens: list[int]) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="vectors", input=[tokens])

    assert caught.value.code != "context_length_exceeded"


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        ("missing", openai.NotFoundError, "there is no model file .*missing.gguf; put it there, or correct"),
        ("text", openai.InternalServerError, "damaged or no GGUF"),
        ("cut", openai.InternalServerError, "cannot load"),
        ("unheard-of", openai.NotFoundError, "it has cut, one, text"),
    ],
)
def test_a_model_that_cannot_be_served_says_why(
    client: openai.OpenAI, model: str, error: type[openai.APIStatusError], words: str
) -> None:
    with pytest.raises(error, match=words):
        client.chat.completions.create(model=model, messages=HELLO)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 3),
        ("top_p", "high"),
        ("max_tokens", 0),
        ("n", 0),
        ("n", 500),
        ("best_of", 2),
        ("stop", [1]),
        ("top_logprobs", 50),
        ("grammar", "root = nonsense"),
        ("tools", [{"type": "function", "function": "weather"}]),
        ("response_format", {"type": "yaml"}),
        ("logit_bias", {"a": "b"}),
        ("messages", [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
    ],
)
def test_a_wrong_field_is_a_bad_request_that_names_it(client: openai.OpenAI, field: str, value: Any) -> None:
    body = {"model": "one", "messages": HELLO, "logprobs": True, field: value}
    with pytest.raises(openai.BadRequestError, match=field if field != "messages" else "text only"):
        client.post("/chat/completions", body=body, cast_to=object)


def test_a_request_that_nobody_foresaw_leaves_the_model_at_work(client: openai.OpenAI) -> None:
    odd: list[Any] = [
        {"messages": [{"role": 5, "content": "x"}]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": 5}]},
        {"tools": [WEATHER], "tool_choice": 5},
        {"tools": [{"function": {"name": "x", "parameters": {"$ref": "#/nowhere"}}}], "tool_choice": "required"},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "nothing"}}}},
        {"chat_template_kwargs": {"messages": 5}},
    ]
    for fields in odd:
        with pytest.raises(openai.APIStatusError) as caught:
            client.post("/chat/completions", body={"model": "one", "messages": HELLO, **fields}, cast_to=object)
        assert caught.value.status_code in (400, 503)
    assert client.chat.completions.create(model="one", messages=HELLO, max_tokens=1).choices


@pytest.mark.parametrize("model", ["one", "toolless"])
@pytest.mark.parametrize("role", ["wizard", "critic", "", 5, None])
def test_a_message_of_an_unknown_role_is_refused(client: openai.OpenAI, model: str, role: Any) -> None:
    body = {"model": model, "messages": [*HELLO, {"role": role, "content": "x"}]}
    with pytest.raises(
        openai.BadRequestError, match=r"messages\[1\].role must be one of assistant, dev"
    ) as caught:
        client.post("/chat/completions", body=body, cast_to=object)
    assert "messages[1].role" == caught.value.param


def test_a_role_that_the_template_itself_names_is_one() -> None:
    source = "{% for m in messages %}{% if m.role in ['control', 'user'] %}{{ m.content }}{% endif %}{% endfor %}"
    template = ChatTemplate(source, "", "")
    said = [{"role": "control", "content": "be "}, {"role": "user", "content": "brief"}]

    assert "be brief" == template.render(said, None, {}, Marks(()).guard())


def test_the_old_name_of_a_tools_answer_is_read_as_the_new_one(client: openai.OpenAI) -> None:
    def prompt_tokens(role: str) -> int:
        messages: Any = [
            *HELLO,
            {"role": role, "name": "weather", "tool_call_id": "1", "content": "it rains a lot"},
        ]
        answer = client.chat.completions.create(model="one", messages=messages, max_tokens=1)
        assert answer.usage
        return answer.usage.prompt_tokens

    alone = client.chat.completions.create(model="one", messages=HELLO, max_tokens=1).usage
    assert alone and alone.prompt_tokens + 3 < prompt_tokens("tool") == prompt_tokens("function")


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
@pytest.mark.parametrize("tools", [None, []])
def test_a_call_without_tools_is_refused(client: openai.OpenAI, choice: Any, tools: Any) -> None:
    body = {"model": "one", "messages": HELLO, "tools": tools, "tool_choice": choice}
    with pytest.raises(openai.BadRequestError, match="there are no tools") as caught:
        client.post("/chat/completions", body=body, cast_to=object)
    assert "tool_choice" == caught.value.param


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_choice_that_asks_for_no_call_needs_no_tools(client: openai.OpenAI, choice: str) -> None:
    body = {"model": "one", "messages": HELLO, "max_tokens": 1, "tool_choice": choice}
    assert client.post("/chat/completions", body=body, cast_to=object)


@pytest.mark.parametrize(
    "name", ["messages", "tools", "functions", "function_call", "tool_choice", "self", "add_generation_prompt",
             "eos_token", "bos_token", "raise_exception", "strftime_now"]
)  # fmt: skip
def test_an_option_for_the_template_may_not_be_called_like_what_it_is_given(
    client: openai.OpenAI, name: str
) -> None:
    body = {"model": "one", "messages": HELLO, "chat_template_kwargs": {name: [], "enable_thinking": False}}
    with pytest.raises(openai.BadRequestError, match=f"chat_template_kwargs may not hold {name}:") as caught:
        client.post("/chat/completions", body=body, cast_to=object)
    assert "chat_template_kwargs" == caught.value.param


def nested(levels: int, inner: str = "items") -> dict[str, Any]:
    """An object in an object, and so on."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {inner: value}
    return value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": nested(300)}}),
        ("tools", [{"type": "function", "function": {"name": "x", "parameters": nested(300)}}]),
        ("chat_template_kwargs", nested(600)),
        ("messages", [{"role": "user", "content": "x", "more": nested(300)}]),
    ],
)
def test_what_is_nested_too_deeply_is_refused_at_once_and_the_model_stays(
    live: LiveProxy, client: openai.OpenAI, field: str, value: Any
) -> None:
    client.chat.completions.create(model="one", messages=HELLO, max_tokens=1)
    before = pids(live)["one"]
    began = time.monotonic()
    with pytest.raises(openai.BadRequestError, match=f"{field} is nested too deeply: at most 200") as caught:
        client.post("/chat/completions", body={"model": "one", "messages": HELLO, field: value}, cast_to=object)

    assert field == caught.value.param
    assert time.monotonic() - began < 4  # ending a process that does not stop takes five
    assert before == pids(live)["one"]


@pytest.mark.parametrize("word", ["items", "not"])
def test_a_schema_deeper_than_its_readers_go_is_a_bad_request(
    live: LiveProxy, client: openai.OpenAI, word: str
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": nested(150, word)}}
    body: Any = {"model": "one", "messages": HELLO, "max_tokens": 1, "response_format": form}
    client.chat.completions.create(model="one", messages=HELLO, max_tokens=1)
    before = pids(live)["one"]
    with pytest.raises(openai.BadRequestError, match="schema: the JSON schema is nested too deeply") as caught:
        client.post("/chat/completions", body=body, cast_to=object)
    assert "response_format" == caught.value.param

    tool = {"type": "function", "function": {"name": "x", "parameters": nested(150, word)}}
    body = {"model": "one", "messages": HELLO, "max_tokens": 1, "tools": [tool]}
    assert client.post("/chat/completions", body=body, cast_to=object)
    with pytest.raises(openai.BadRequestError, match="nested too deeply"):
        client.post("/chat/completions", body={**body, "tool_choice": "required"}, cast_to=object)
    assert before == pids(live)["one"]


def test_lone_surrogates_do_no_harm(client: openai.OpenAI) -> None:
    body = b'{"model": "one", "max_tokens": 1, "messages": [{"role": "user", "content": "a \\ud83d b"}]}'
    answer = client._client.post(f"{client.base_url}chat/completions", content=body)

    assert 200 == answer.status_code


def test_a_prompt_beyond_the_window_is_openais_error_with_the_numbers(client: openai.OpenAI) -> None:
    long = [{"role": "user", "content": "word " * 3000}]
    with pytest.raises(openai.BadRequestError, match=r"1024 tokens, but .* 30[0-9][0-9]") as caught:
        client.chat.completions.create(model="one", messages=long)  # type: ignore[arg-type]
    assert "context_length_exceeded" == caught.value.code


def test_an_answer_longer_than_the_window_is_one_as_long_as_there_is_room(client: openai.OpenAI) -> None:
    bias = {str(tiny_gguf.tokenizer().encode(" list").ids[0]): 100}
    answer = client.chat.completions.create(model="one", messages=HELLO, max_tokens=100_000, logit_bias=bias)

    assert "length" == answer.choices[0].finish_reason
    assert answer.usage and 1024 == answer.usage.total_tokens
