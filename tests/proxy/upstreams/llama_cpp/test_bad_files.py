"""Files, windows and texts that are not what they should be: clear errors, and the other models go on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy import tiny_gguf
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy
from tests.proxy.upstreams.llama_cpp.conftest import HELLO, made, pids

pytestmark = tiny_gguf.needs_llama_cpp

_CONTEXT = {"small": 256, "long": 4096}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    """A good model, and some that are not."""
    folder = tmp_path_factory.mktemp("bad")
    good = tiny_gguf.write(folder / "good.gguf")
    tiny_gguf.write(folder / "silent.gguf", template=None)
    tiny_gguf.write(folder / "broken.gguf", template="{% for m in messages %}{{ m.content }")
    tiny_gguf.write(folder / "picky.gguf", template="{{ raise_exception('only questions') }}")
    data = good.read_bytes()
    (folder / "unknown.gguf").write_bytes(data.replace(b"qwen2", b"qwonk"))
    (folder / "cut.gguf").write_bytes(data[:-20_000])
    (folder / "head.gguf").write_bytes(data[:60])
    for name in ("small", "long"):
        (folder / f"{name}.gguf").write_bytes(data)
    models = {
        file.stem: {"path": str(file), "context": _CONTEXT.get(file.stem, 2048)} for file in folder.glob("*.gguf")
    }
    with tiny_gguf.local_proxy(folder, models, limits={"max_memory_mb": 4000}) as proxy:
        yield proxy


@pytest.fixture
def client(live: LiveProxy) -> Iterator[openai.OpenAI]:
    """Without retries."""
    with made(live) as client:
        yield client


@pytest.mark.parametrize(
    ("model", "status", "words", "code"),
    [
        ("silent", 404, "no chat template; use /v1/completions", "unsupported_endpoint"),
        ("broken", 503, "the model's chat template cannot be read", "model_unavailable"),
        ("picky", 400, "template refuses these messages", "invalid_value"),
        ("unknown", 503, "unknown model architecture: 'qwonk'", "model_unavailable"),
        ("cut", 503, "cannot load .*cut.gguf", "model_unavailable"),
        ("head", 503, "damaged or no GGUF", "model_unavailable"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_file_that_is_not_as_it_should_be_is_told_and_others_answer(
    client: openai.OpenAI, model: str, status: int, words: str, code: str, stream: bool
) -> None:
    asked: Any = {"messages": HELLO, "max_tokens": 1}
    with pytest.raises(openai.APIStatusError, match=words) as caught:
        client.chat.completions.create(model=model, stream=stream, **asked)

    assert (status, code) == (caught.value.status_code, caught.value.code)
    assert client.chat.completions.create(model="good", **asked).choices


def test_a_model_without_a_template_completes(client: openai.OpenAI) -> None:
    assert client.completions.create(model="silent", prompt="A list is", max_tokens=2).choices[0].text


def test_a_window_of_256_tokens_is_used_to_its_end_and_no_further(client: openai.OpenAI) -> None:
    bias = {str(tiny_gguf.tokenizer().encode(" list").ids[0]): 100}
    answer = client.chat.completions.create(model="small", messages=HELLO, max_tokens=5000, logit_bias=bias)
    assert answer.usage and (256, "length") == (answer.usage.total_tokens, answer.choices[0].finish_reason)

    with pytest.raises(openai.BadRequestError, match="256 tokens") as caught:
        client.chat.completions.create(model="small", messages=[{"role": "user", "content": "word " * 300}])
    assert "context_length_exceeded" == caught.value.code


def test_a_document_of_control_token_lookalikes_is_text(client: openai.OpenAI) -> None:
    marks = ["<|im_end|>", "<|im_start|>system", "<|endoftext|>", "<tool_call>", "<|im_", "end|>", "\U00100000"]
    text = "\n".join(marks[at % len(marks)] for at in range(250))
    began = time.monotonic()
    answer = client.chat.completions.create(
        model="good", messages=[{"role": "user", "content": text}], max_tokens=1, temperature=0
    )

    assert answer.usage and answer.usage.prompt_tokens > 250 * 2
    assert time.monotonic() - began < 30


def test_a_model_that_dies_in_mid_answer_is_told_and_others_go_on(live: LiveProxy, client: openai.OpenAI) -> None:
    bias = {str(tiny_gguf.tokenizer().encode(" list").ids[0]): 100}
    asked: Any = {"messages": HELLO, "logit_bias": bias}
    client.chat.completions.create(model="good", max_tokens=1, **asked)
    stream = client.chat.completions.create(model="long", max_tokens=4000, stream=True, **asked)
    next(iter(stream))
    other = pids(live)["good"]
    os.kill(pids(live)["long"], signal.SIGKILL)
    with pytest.raises((openai.APIError, httpx.HTTPError)):
        for _ in stream:
            pass

    assert client.chat.completions.create(model="good", max_tokens=1, **asked).choices
    assert other == pids(live)["good"]
    assert client.chat.completions.create(model="long", max_tokens=1, **asked).choices


def test_the_list_of_models_has_those_whose_file_is_there(live: LiveProxy, client: openai.OpenAI) -> None:
    assert {"good", "cut", "silent"} <= {model.id for model in client.models.list()}


def test_a_model_whose_file_is_gone_is_not_listed(tmp_path: Path) -> None:
    file = tiny_gguf.write(tmp_path / "a.gguf")
    models = {"a": {"path": str(file)}, "b": {"path": str(tmp_path / "b.gguf")}}
    with tiny_gguf.local_proxy(tmp_path, models) as live, made(live) as client:
        assert ["a"] == [model.id for model in client.models.list()]
        assert "a" == client.models.retrieve("a").id
        with pytest.raises(openai.NotFoundError, match=r"no model of that name; it has a'"):
            client.models.retrieve("b")
        with pytest.raises(openai.NotFoundError, match="there is no model file") as caught:
            client.chat.completions.create(model="b", messages=HELLO)
        assert "model_file_missing" == caught.value.code


def test_where_no_file_is_there_an_unknown_name_is_told_so(tmp_path: Path) -> None:
    models = {"b": {"path": str(tmp_path / "b.gguf")}}
    with (
        tiny_gguf.local_proxy(tmp_path, models) as live,
        made(live) as client,
        pytest.raises(openai.NotFoundError, match="it has none whose file is there"),
    ):
        client.chat.completions.create(model="c", messages=HELLO)


def test_a_model_without_its_file_leaves_the_request_to_the_next_upstream(tmp_path: Path) -> None:
    file = tmp_path / "moos.yaml"
    file.write_text(
        "upstreams:\n"
        f"  local: {{kind: llama_cpp, models: {{b: {{path: '{tmp_path / 'b.gguf'}'}}}}}}\n"
        "  spare: {kind: echo}\n"
        "routes: [{upstreams: [local, spare]}]\n"
    )
    app = create_app(Settings(state_dir=tmp_path / "state"), load(file), FakeCompressor())
    with LiveProxy(app) as live, made(live) as client:
        assert client.chat.completions.create(model="b", messages=HELLO).choices
        with pytest.raises(openai.NotFoundError, match="no model of that name"):
            client.chat.completions.create(model="c", messages=HELLO)
