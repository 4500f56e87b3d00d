"""Real llama.cpp behind a running proxy, driven by the official client."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.proxy import tiny_gguf
from tests.proxy.upstreams.llama_cpp.conftest import WEATHER

pytestmark = tiny_gguf.needs_llama_cpp

HELLO: Any = [{"role": "user", "content": "Say something about lists and tuples."}]


def test_a_plain_answer_has_text_true_usage_and_a_reason(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="one", messages=HELLO, max_tokens=7, seed=1)

    assert "chat.completion" == answer.object
    assert "length" == answer.choices[0].finish_reason
    assert answer.choices[0].message.content
    assert answer.usage and 7 == answer.usage.completion_tokens
    rendered = (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\n{HELLO[0]['content']}<|im_end|>\n<|im_start|>assistant\n"
    )
    texts = rendered.replace("<|im_start|>", "\0").replace("<|im_end|>", "\0").split("\0")
    marks = 5
    assert marks + sum(len(tiny_gguf.tokenizer().encode(text).ids) for text in texts) == answer.usage.prompt_tokens


def test_a_streamed_answer_is_the_same_text_with_usage_at_the_end(client: openai.OpenAI) -> None:
    asked: Any = {"model": "one", "messages": HELLO, "max_tokens": 12, "seed": 5}
    plain = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))

    assert plain.choices[0].message.content == "".join(
        c.choices[0].delta.content or "" for c in chunks if c.choices
    )
    assert ["length"] == [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
    assert chunks[-1].usage and plain.usage
    assert plain.usage.total_tokens == chunks[-1].usage.total_tokens
    assert [] == chunks[-1].choices


def test_a_seed_repeats_an_answer_and_another_one_does_not(client: openai.OpenAI) -> None:
    def text(seed: int) -> str | None:
        asked = client.chat.completions.create(model="one", messages=HELLO, max_tokens=12, seed=seed)
        return asked.choices[0].message.content

    assert text(3) == text(3) != text(4)


def test_a_stop_string_ends_the_answer_and_is_not_shown(client: openai.OpenAI) -> None:
    grammar = 'root ::= "alpha beta gamma delta"'
    answer = client.chat.completions.create(
        model="one", messages=HELLO, max_tokens=60, stop=[" gam"], extra_body={"grammar": grammar}
    )

    assert ("alpha beta", "stop") == (answer.choices[0].message.content, answer.choices[0].finish_reason)


def test_log_probabilities_are_there_when_asked_for(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="one", messages=HELLO, max_tokens=3, temperature=0, logprobs=True, top_logprobs=4
    )

    logprobs = answer.choices[0].logprobs
    assert logprobs and logprobs.content and 3 == len(logprobs.content)
    for entry in logprobs.content:
        assert 4 == len(entry.top_logprobs)
        assert entry.logprob == max(top.logprob for top in entry.top_logprobs) < 0
    assert answer.choices[0].message.content == "".join(entry.token for entry in logprobs.content)


def test_a_bias_decides_the_token(client: openai.OpenAI) -> None:
    token = tiny_gguf.tokenizer().encode(" list").ids[0]
    answer = client.chat.completions.create(
        model="one", messages=HELLO, max_tokens=3, temperature=0.1, logit_bias={str(token): 100}
    )

    assert " list list list" == answer.choices[0].message.content


def test_json_mode_gives_json(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"age": {"type": "integer", "maximum": 31, "minimum": 12}, "fits": {"type": "boolean"}},
        "required": ["age", "fits"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="one",
        messages=HELLO,
        max_tokens=100,
        seed=1,
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": schema}},
    )

    found = json.loads(answer.choices[0].message.content or "")
    assert {"age", "fits"} == set(found)
    assert isinstance(found["fits"], bool)
    assert 12 <= found["age"] <= 31


def test_an_object_is_all_that_the_looser_json_mode_asks_for(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="one", messages=HELLO, max_tokens=400, seed=2, response_format={"type": "json_object"}
    )
    text = answer.choices[0].message.content or ""

    assert text.startswith("{")
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_comes_out_as_openai_writes_it(client: openai.OpenAI, stream: bool) -> None:
    asked: Any = {"model": "one", "messages": HELLO, "tools": [WEATHER], "max_tokens": 200, "seed": 1}
    asked |= {"tool_choice": "required", "parallel_tool_calls": False}
    if stream:
        chunks = list(client.chat.completions.create(**asked, stream=True))
        call, *more = [c for chunk in chunks for c in chunk.choices[0].delta.tool_calls or []]
        assert more and not call.function.arguments
        call.function.arguments = "".join(piece.function.arguments for piece in more)
        reason = chunks[-1].choices[0].finish_reason
    else:
        answer = client.chat.completions.create(**asked)
        (call,) = answer.choices[0].message.tool_calls or []
        reason = answer.choices[0].finish_reason
        assert answer.choices[0].message.content is None

    assert "tool_calls" == reason
    assert "weather" == call.function.name
    assert call.id.startswith("call_")
    assert {"city"} == set(json.loads(call.function.arguments))


def test_a_call_that_is_cut_off_says_length(client: openai.OpenAI) -> None:
    asked: Any = {"model": "one", "messages": HELLO, "tools": [WEATHER], "max_tokens": 12, "seed": 1}
    choice = client.chat.completions.create(**asked, tool_choice="required").choices[0]

    assert "length" == choice.finish_reason


def test_a_call_in_a_form_of_the_models_own_is_one(client: openai.OpenAI) -> None:
    asked: Any = {"model": "one", "messages": HELLO, "tools": [WEATHER], "seed": 1}
    call = json.dumps('{"name": "weather", "arguments": {"city": "Oslo"}}')
    grammar = {"grammar": f'root ::= "Well.\\n```json\\n" {call} "\\n```"'}
    choice = client.chat.completions.create(**asked, extra_body=grammar).choices[0]

    (found,) = choice.message.tool_calls or []
    assert ("tool_calls", "Well.\n") == (choice.finish_reason, choice.message.content)
    assert {"city": "Oslo"} == json.loads(found.function.arguments)  # type: ignore[union-attr]


def test_a_model_without_a_place_for_tools_is_told_of_them(client: openai.OpenAI) -> None:
    def prompt_tokens(messages: Any, **more: Any) -> int:
        usage = client.chat.completions.create(model="toolless", messages=messages, max_tokens=1, **more).usage
        assert usage
        return usage.prompt_tokens

    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    talk = [
        *HELLO,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "Rain"},
    ]
    assert prompt_tokens(HELLO) + 60 < prompt_tokens(HELLO, tools=[WEATHER])
    assert prompt_tokens(HELLO) + 20 < prompt_tokens(talk)


def test_what_a_conversation_says_of_control_tokens_is_text(client: openai.OpenAI) -> None:
    def prompt_tokens(text: str) -> int:
        usage = client.chat.completions.create(
            model="one", messages=[{"role": "user", "content": text}], max_tokens=1
        ).usage
        assert usage
        return usage.prompt_tokens

    mark = "<|im_end|>"
    assert prompt_tokens("a") + 5 * (len(mark) // 3) < prompt_tokens("a" + mark * 5)


def test_tools_and_their_results_reach_the_template(client: openai.OpenAI) -> None:
    def prompt_tokens(messages: Any, **more: Any) -> int:
        usage = client.chat.completions.create(model="one", messages=messages, max_tokens=1, **more).usage
        assert usage
        return usage.prompt_tokens

    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    talk = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "It rains."},
    ]
    assert prompt_tokens(HELLO) + 60 < prompt_tokens(HELLO, tools=[WEATHER]) < prompt_tokens(talk, tools=[WEATHER])
    assert prompt_tokens(HELLO) == prompt_tokens(HELLO, tools=[WEATHER], tool_choice="none")


def test_a_completion_goes_on_with_its_prompt(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="two", prompt="A list is", max_tokens=5, temperature=0, logprobs=2)

    assert answer.usage and len(tiny_gguf.tokenizer().encode("A list is").ids) == answer.usage.prompt_tokens
    assert answer.choices[0].logprobs and answer.choices[0].logprobs.tokens
    assert answer.choices[0].text == "".join(answer.choices[0].logprobs.tokens)


def test_embeddings_come_from_models_that_have_them(client: openai.OpenAI) -> None:
    same, other, again = (
        client.embeddings.create(model="vectors", input=text).data[0].embedding
        for text in ("a list", "some entirely different words", "a list")
    )

    assert tiny_gguf.TINY.width == len(same)
    assert same == pytest.approx(again, abs=1e-5)
    assert sum(a * b for a, b in zip(same, same, strict=True)) == pytest.approx(1, abs=1e-4)
    assert sum(a * b for a, b in zip(same, other, strict=True)) < 0.999
    with pytest.raises(openai.NotFoundError, match="no embeddings"):
        client.embeddings.create(model="one", input="a list")


def test_the_models_are_listed_by_their_names(client: openai.OpenAI) -> None:
    assert {"one", "two", "vectors"} <= {model.id for model in client.models.list()}
    assert "two" == client.models.retrieve("two").id


def test_a_second_turn_pays_only_for_what_is_new(client: openai.OpenAI) -> None:
    first = [{"role": "user", "content": "A conversation that nobody has had before. " * 12}]
    begun: Any = client.chat.completions.create(model="two", messages=first, max_tokens=8, seed=1)  # type: ignore[arg-type]
    told = begun.choices[0].message.content
    second = [*first, {"role": "assistant", "content": told}, {"role": "user", "content": "And then?"}]
    went_on: Any = client.chat.completions.create(model="two", messages=second, max_tokens=8)  # type: ignore[arg-type]

    known = begun.usage.prompt_tokens
    assert known <= went_on.usage.prompt_tokens_details.cached_tokens
    assert went_on.timings["prompt_n"] <= went_on.usage.prompt_tokens - known < 40
