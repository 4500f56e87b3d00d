"""IC-Former's memory sent to a server as prompt embeddings: the same answers as from the model on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest
import yaml

from moosproxy.policies.faults import PolicyError
from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy

tiny_hf = pytest.importorskip("tests.proxy.tiny_hf", exc_type=ImportError)

import torch  # noqa: E402

from moosproxy.compressor.soft.models import checkpoint  # noqa: E402
from moosproxy.compressor.soft.models.base import load_base  # noqa: E402
from tests.proxy.upstreams.soft.prompt_embeds_server import PromptEmbedsServer, running  # noqa: E402

DOCUMENT = "one two three four five six seven eight nine ten eleven twelve " * 12
SOFT = {"method": "icformer", "ratio": 5, "min_tokens": 40}
NO_END = {"1": -100}


def document(folder: Path, url: str, **changes: Any) -> dict[str, Any]:
    own = {"path": str(folder / "model"), "compressors": [str(folder / "icformer")], "context": 2048}
    wired = {"kind": "transformers", "soft_wire": "prompt_embeds", "base_url": url, "api_key": "sk-there"}
    return {
        "defaults": {"ratio": 2, "min_tokens": 20, "soft": SOFT},
        "upstreams": {
            "there": {**wired, "hf_models": {"far": {**own, "served_as": "big/model"}, "busy": own}},
            "half": {**wired, "hf_models": {"half": {**own, "dtype": "bfloat16"}}},
            "here": {"kind": "transformers", "hf_models": {"near": own}},
        },
        "routes": [
            {"match": {"model": "far"}, "upstreams": "there"},
            {"match": {"model": "busy"}, "upstreams": "there"},
            {"match": {"model": "half"}, "upstreams": "half"},
            {"upstreams": "here"},
        ],
        **changes,
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A server with the model, a proxy before it, and the folder of both."""
    folder = tmp_path_factory.mktemp("embeds")
    model = tiny_hf.write_model(folder / "model")
    for method in ("icformer", "sac"):
        tiny_hf.write_compressor(folder / method, model, method, (4, 5))
    server = PromptEmbedsServer(model)
    with running(server.app) as url:
        (folder / "moos.yaml").write_text(yaml.safe_dump(document(folder, url)))
        app = create_app(Settings(state_dir=folder / "state"), load(folder / "moos.yaml"), FakeCompressor())
        with LiveProxy(app) as proxy:
            yield SimpleNamespace(folder=folder, server=server, proxy=proxy, url=url)


@pytest.fixture
def client(site: SimpleNamespace) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{site.proxy.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, model: str, text: str = DOCUMENT, **more: Any) -> Any:
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    fields = {"max_tokens": 8, "temperature": 0, "logit_bias": NO_END, **more}
    return client.chat.completions.create(model=model, messages=messages, **fields)


def test_the_answer_is_that_of_the_model_here(client: openai.OpenAI, site: SimpleNamespace) -> None:
    far, near = ask(client, "far"), ask(client, "near")

    assert near.choices[0].message.content == far.choices[0].message.content != ""
    assert near.usage.completion_tokens == far.usage.completion_tokens == 8
    counts = far.usage.prompt_tokens_details.model_dump()
    assert near.usage.prompt_tokens == far.usage.prompt_tokens == counts["text_tokens"] + counts["soft_tokens"]
    assert near.usage.prompt_tokens_details.model_dump()["soft_tokens"] == counts["soft_tokens"] > 20
    assert "big/model" == site.server.seen[-1]["model"]
    assert "Bearer sk-there" == site.server.keys[-1]


def test_the_tensor_is_the_prompt_as_vectors(client: openai.OpenAI, site: SimpleNamespace) -> None:
    ask(client, "far")
    sent = site.server.seen[-1]
    base, words = load_base(site.folder / "model")
    made = checkpoint.load(site.folder / "icformer", base)

    def ids(text: str) -> torch.Tensor:
        return torch.tensor([words.encode(text, add_special_tokens=False)])

    with torch.inference_mode():
        # Full chunks but for the last two, which share what is left.
        text = ids(DOCUMENT)
        half = -(-(text.shape[1] - 64) // 2)
        parts = [made.encode(part, 5).embeddings for part in text.split([64, half, text.shape[1] - 64 - half], 1)]
        memory = torch.cat(parts, dim=1)
        before, after = base.embed(ids("<system>Be brief.\n<user>")), base.embed(ids("\n<assistant>"))
        marker = made.marker("go_on").embeddings
        assert marker is not None
        expected = torch.cat([before, memory, marker, after], dim=1)[0]
    assert (expected.shape, torch.float32) == (sent["tensor"].shape, sent["tensor"].dtype)
    torch.testing.assert_close(sent["tensor"], expected)
    assert "prompt" not in sent


def test_half_precision_goes_out_as_it_is(client: openai.OpenAI, site: SimpleNamespace) -> None:
    ask(client, "half")
    assert torch.bfloat16 == site.server.seen[-1]["tensor"].dtype


def test_a_stream_is_the_same_text(client: openai.OpenAI) -> None:
    plain = ask(client, "far")
    chunks = list(ask(client, "far", stream=True, stream_options={"include_usage": True}))

    shown = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert plain.choices[0].message.content == shown
    assert plain.usage.prompt_tokens == chunks[-1].usage.prompt_tokens


def test_what_stays_text_goes_out_as_tokens(client: openai.OpenAI, site: SimpleNamespace) -> None:
    far, near = ask(client, "far", "a few words"), ask(client, "near", "a few words")

    assert near.choices[0].message.content == far.choices[0].message.content
    assert "prompt_embeds" not in site.server.seen[-1]
    assert near.usage.prompt_tokens == far.usage.prompt_tokens == len(site.server.seen[-1]["prompt"])


def test_without_a_bound_the_answer_has_what_the_window_leaves(
    client: openai.OpenAI, site: SimpleNamespace
) -> None:
    stream = ask(client, "far", max_tokens=None, stream=True)
    next(iter(stream))
    stream.close()

    assert 2048 == site.server.seen[-1]["max_tokens"] + site.server.seen[-1]["tensor"].shape[0]


def test_sampling_and_stops_are_the_servers_to_heed(client: openai.OpenAI, site: SimpleNamespace) -> None:
    ask(client, "far", temperature=0.5, top_p=0.9, seed=7, stop=["zz"], presence_penalty=0.1)
    sent = site.server.seen[-1]

    assert (0.5, 0.9, 7, ["zz"], 0.1) == tuple(
        sent[name] for name in ("temperature", "top_p", "seed", "stop", "presence_penalty")
    )


def test_a_second_question_computes_nothing_and_the_headers_say_so(site: SimpleNamespace) -> None:
    asked = {"model": "far", "messages": [{"role": "user", "content": "kept " + DOCUMENT}], "max_tokens": 2}
    first, second = (httpx.post(f"{site.proxy.url}/v1/chat/completions", json=asked, timeout=60) for _ in range(2))

    assert "0" == first.headers["x-moos-cache-hits"]
    assert "1" == second.headers["x-moos-cache-hits"]
    assert int(first.headers["x-moos-tokens-before"]) > 4 * int(first.headers["x-moos-tokens-after"])


def test_the_servers_own_complaint_comes_back(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="no place"):
        ask(client, "busy")


def test_other_doors_go_the_same_way(site: SimpleNamespace) -> None:
    said = {"model": "far", "max_tokens": 3, "messages": [{"role": "user", "content": DOCUMENT}]}
    answer = httpx.post(f"{site.proxy.url}/v1/messages", json=said, timeout=60)

    assert 200 == answer.status_code
    assert "message" == answer.json()["type"]


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("sac", "sends input embeddings, and sac keeps keys and values of every layer: take method icformer"),
        ("500x", "500x keeps keys and values"),
        ("epl", "epl keeps keys and values"),
        ("icae", "icae runs the whole language model"),
    ],
)
def test_methods_that_make_no_embeddings_are_refused_when_policies_are_loaded(
    tmp_path: Path, site: SimpleNamespace, method: str, said: str
) -> None:
    file = tmp_path / "moos.yaml"
    file.write_text(yaml.safe_dump(document(site.folder, site.url, defaults={"soft": {**SOFT, "method": method}})))
    with pytest.raises(PolicyError, match=said) as refused:
        load(file)
    assert "defaults.soft" in str(refused.value)


def test_a_compressor_that_cannot_be_sent_is_told(tmp_path: Path, site: SimpleNamespace) -> None:
    from moosproxy.proxy.upstreams.transformers.checking import faults

    file = tmp_path / "moos.yaml"
    made = document(site.folder, site.url)
    far = {"path": str(site.folder / "model"), "compressors": [str(site.folder / "sac")]}
    made["upstreams"]["there"]["hf_models"]["far"] = far
    file.write_text(yaml.safe_dump(made))

    (fault, *_) = faults(load(file))
    assert "upstream there: model far: soft_wire prompt_embeds sends input embeddings, and sac" in fault


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "openai", "soft_wire": "prompt_embeds"}, "soft_wire is for kind transformers"),
        ({"kind": "transformers", "soft_wire": "prompt_embeds", "base_url": None}, "with the server's base_url"),
        ({"kind": "transformers"}, "leave out base_url and api_key, or set soft_wire"),
    ],
)
def test_a_wire_needs_its_kind_and_an_address(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    upstream = {"base_url": "http://127.0.0.1:9/v1", **fields}
    if upstream["kind"] == "transformers":
        upstream["hf_models"] = {"m": {"path": "somewhere"}}
    file = tmp_path / "moos.yaml"
    file.write_text(yaml.safe_dump({"upstreams": {"u": upstream}}))
    with pytest.raises(PolicyError, match=said):
        load(file)
