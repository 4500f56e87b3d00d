"""Several answers in one, text before and behind, embeddings of a chat model, schemas checked afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.proxy import tiny_gguf
from tests.proxy.upstreams.llama_cpp.conftest import HELLO, made

pytestmark = tiny_gguf.needs_llama_cpp


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    """A plain model, and one that fills in the middle and may embed."""
    folder = tmp_path_factory.mktemp("several")
    tiny_gguf.write(folder / "plain.gguf")
    tiny_gguf.write(folder / "coder.gguf", middle=True)
    models = {
        "plain": {"path": str(folder / "plain.gguf"), "context": 1024},
        "coder": {"path": str(folder / "coder.gguf"), "context": 1024, "embeddings": True, "schemas": "strict"},
    }
    with tiny_gguf.local_proxy(folder, models) as live, made(live) as client:
        yield client


def size(text: str) -> int:
    """Tokens of a text."""
    return len(tiny_gguf.tokenizer().encode(text).ids)


def test_n_answers_are_choices_and_the_prompt_counts_once(client: openai.OpenAI) -> None:
    asked: Any = {"model": "plain", "messages": HELLO, "max_tokens": 6, "seed": 5, "logprobs": True}
    one = client.chat.completions.create(**asked)
    three = client.chat.completions.create(**asked, n=3)
    texts = [choice.message.content for choice in three.choices]

    assert [0, 1, 2] == [choice.index for choice in three.choices]
    assert one.choices[0].message.content == texts[0]
    assert 3 == len(set(texts))
    assert all(len(choice.logprobs.content or ()) == 6 for choice in three.choices if choice.logprobs)
    assert one.usage and three.usage
    assert (one.usage.prompt_tokens, 18) == (three.usage.prompt_tokens, three.usage.completion_tokens)


def test_streamed_they_are_the_same(client: openai.OpenAI) -> None:
    asked: Any = {"model": "plain", "messages": HELLO, "max_tokens": 6, "seed": 5, "n": 3}
    plain = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    texts = ["", "", ""]
    reasons: list[tuple[int, str]] = []
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        texts[choice.index] += choice.delta.content or ""
        if choice.finish_reason:
            reasons.append((choice.index, choice.finish_reason))

    assert [choice.message.content for choice in plain.choices] == texts
    assert [(0, "length"), (1, "length"), (2, "length")] == reasons
    assert {0, 1, 2} == {c.index for chunk in chunks for c in chunk.choices if c.delta.role == "assistant"}
    assert plain.usage and chunks[-1].usage
    assert plain.usage.completion_tokens == chunks[-1].usage.completion_tokens
    assert plain.usage.prompt_tokens == chunks[-1].usage.prompt_tokens


@pytest.mark.parametrize("stream", [False, True])
def test_several_prompts_are_answered_in_their_order(client: openai.OpenAI, stream: bool) -> None:
    prompts = ["A list is", "A tuple, however, is"]
    common: Any = {"model": "plain", "max_tokens": 5, "temperature": 0}
    alone = [client.completions.create(prompt=prompt, **common).choices[0].text for prompt in prompts]
    wanted: Any = {**common, "prompt": prompts, "n": 2}
    if stream:
        chunks = list(client.completions.create(**wanted, stream=True, stream_options={"include_usage": True}))
        texts = [""] * 4
        for choice in (choice for chunk in chunks for choice in chunk.choices):
            texts[choice.index] += choice.text
        usage = chunks[-1].usage
    else:
        answer = client.completions.create(**wanted)
        texts, usage = [choice.text for choice in answer.choices], answer.usage

    assert [alone[0], alone[0], alone[1], alone[1]] == texts
    assert usage and (sum(map(size, prompts)), 20) == (usage.prompt_tokens, usage.completion_tokens)


@pytest.mark.parametrize("as_tokens", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_echo_puts_the_prompt_before_the_answer(client: openai.OpenAI, stream: bool, as_tokens: bool) -> None:
    prompt: Any = tiny_gguf.tokenizer().encode("A list is").ids if as_tokens else "A list is"
    asked: Any = {"model": "plain", "prompt": prompt, "max_tokens": 5, "temperature": 0}
    answer = client.completions.create(**asked)
    if stream:
        chunks = client.completions.create(**asked, echo=True, stream=True)
        text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    else:
        echoed = client.completions.create(**asked, echo=True)
        text = echoed.choices[0].text
        assert echoed.usage and answer.usage
        assert answer.usage.completion_tokens == echoed.usage.completion_tokens

    assert "A list is" + answer.choices[0].text == text


def test_echo_with_logprobs_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="echo is not served together with logprobs"):
        client.completions.create(model="plain", prompt="A list", echo=True, logprobs=1)


@pytest.mark.parametrize("stream", [False, True])
def test_the_middle_is_asked_with_the_vocabularys_own_tokens(client: openai.OpenAI, stream: bool) -> None:
    before, behind = "def add(a, b):\n", "\n    return a"
    asked: Any = {"model": "coder", "prompt": before, "suffix": behind, "max_tokens": 4, "temperature": 0}
    if stream:
        *_, last = client.completions.create(**asked, stream=True, stream_options={"include_usage": True})
        usage = last.usage
    else:
        usage = client.completions.create(**asked).usage

    assert usage and 3 + size(before) + size(behind) == usage.prompt_tokens


def test_text_around_the_middle_is_text(client: openai.OpenAI) -> None:
    def prompt_tokens(behind: str) -> int:
        usage = client.completions.create(model="coder", prompt="a", suffix=behind, max_tokens=1).usage
        assert usage
        return usage.prompt_tokens

    mark = "<|fim_middle|>"
    assert prompt_tokens("a") + len(mark) // 3 < prompt_tokens("a" + mark)


def test_the_middle_is_refused_where_the_model_has_not_learned_it(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="suffix needs a model with tokens") as caught:
        client.completions.create(model="plain", prompt="def", suffix="end")
    assert "suffix" == caught.value.param


@pytest.mark.parametrize("prompt", [[], [""], [[]], ["a", 5], 5])
def test_prompts_that_are_none_are_refused(client: openai.OpenAI, prompt: Any) -> None:
    with pytest.raises(openai.BadRequestError):
        client.post("/completions", body={"model": "plain", "prompt": prompt}, cast_to=object)


def test_a_chat_model_embeds_where_its_policy_says_so(client: openai.OpenAI) -> None:
    texts = ["a list of tuples", "a list of tuples", "an entirely different matter"]
    answer = client.embeddings.create(model="coder", input=texts)
    same, again, other = (row.embedding for row in answer.data)

    assert tiny_gguf.TINY.width == len(same)
    assert same == pytest.approx(again, abs=1e-5)
    assert sum(a * a for a in same) == pytest.approx(1, abs=1e-4)
    assert sum(a * b for a, b in zip(same, other, strict=True)) < 0.999
    assert sum(map(size, texts)) == answer.usage.prompt_tokens
    assert client.chat.completions.create(model="coder", messages=HELLO, max_tokens=1).choices
    with pytest.raises(openai.NotFoundError, match="embeddings: true"):
        client.embeddings.create(model="plain", input="a list")


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_does_not_fit_its_schema_says_so(client: openai.OpenAI, stream: bool) -> None:
    def told(least: int) -> list[str | None]:
        tags = {
            "type": "array",
            "items": {"enum": ["a"]},
            "minItems": least,
            "maxItems": least,
            "uniqueItems": True,
        }
        schema = {"type": "object", "properties": {"tags": tags}, "required": ["tags"]}
        form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        asked: Any = {"model": "plain", "messages": HELLO, "response_format": form, "max_tokens": 200}
        if stream:
            choices = [chunk.choices[0] for chunk in client.chat.completions.create(**asked, stream=True)]
            return [getattr(choice, "schema_fault", None) for choice in choices if choice.finish_reason == "stop"]
        choice = client.chat.completions.create(**asked).choices[0]
        assert "stop" == choice.finish_reason
        return [getattr(choice, "schema_fault", None)]

    assert [None] == told(1)
    assert ["$.tags: uniqueItems"] == told(2)


def test_where_the_policy_is_strict_such_a_schema_is_refused(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": True}}}
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(openai.BadRequestError, match=r"schema\.properties\.tags: .*uniqueItems"):
        client.chat.completions.create(model="coder", messages=HELLO, response_format=form)
