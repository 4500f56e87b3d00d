"""Hugging Face models with soft memory behind a running proxy, driven by the official client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml

from moosproxy.policies.files.load import load
from moosproxy.policies.keys import hash_key
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy

tiny_hf = pytest.importorskip("tests.proxy.tiny_hf", exc_type=ImportError)

DOCUMENT = "one two three four five six seven eight nine ten eleven twelve " * 12
KEYS = {"red": "sk-moos-red", "blue": "sk-moos-blue"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, compressors for it, and one that was trained for another model."""
    folder = tmp_path_factory.mktemp("hf")
    model = tiny_hf.write_model(folder / "model")
    for method in ("sac", "icformer"):
        tiny_hf.write_compressor(folder / method, model, method)
    tiny_hf.write_compressor(folder / "foreign", tiny_hf.write_model(folder / "other", seed=9))
    return folder


def configuration(folder: Path) -> dict[str, Any]:
    """Models by what is special about them; policies by what they ask for."""
    own = {"path": str(folder / "model"), "context": 2048}
    both = [str(folder / "sac"), str(folder / "icformer")]
    models = {
        "soft": {**own, "compressors": both, "memory_dir": str(folder / "store")},
        "slow": {**own, "compressors": both, "memory_mb": 0},
        "short": {**own, "compressors": both, "max_part_tokens": 50},
        "foreign": {**own, "compressors": [str(folder / "foreign")]},
        "long": {**own, "compressors": both, "context": 8192},
        "missing": {"path": str(folder / "nowhere")},
    }
    soft = {"method": "sac", "ratio": 5, "min_tokens": 40}
    wishes: dict[str, Any] = {
        "plain": {},
        "untrained": {"soft": {**soft, "ratio": 7}},
        "strict": {"soft": {**soft, "ratio": 7}, "on_error": "reject"},
        "icformer": {"soft": {**soft, "method": "icformer"}},
        "icae": {"soft": {**soft, "method": "icae"}, "on_error": "reject"},
    }
    routes: list[Any] = [
        {"match": {"header": {"x-wish": [name]}}, "overrides": {"soft": None, **fields}}
        for name, fields in wishes.items()
    ]
    return {
        "defaults": {"ratio": 2, "min_tokens": 20, "soft": soft},
        "upstreams": {"here": {"kind": "transformers", "hf_models": models, "limits": {"max_waiting": 1}}},
        "routes": [*routes, {"name": "rest"}],
    }


@pytest.fixture(scope="module")
def live(folder: Path) -> Iterator[LiveProxy]:
    file = folder / "moos.yaml"
    file.write_text(yaml.safe_dump(configuration(folder)))
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as proxy:
        yield proxy


@pytest.fixture
def client(live: LiveProxy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, document: str = DOCUMENT, wish: str = "", **changes: Any) -> Any:
    asked: dict[str, Any] = {
        "model": "soft",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": document}],
        "max_tokens": 6,
        "temperature": 0,
    }
    return client.chat.completions.create(**{**asked, **changes}, extra_headers={"x-wish": wish})


def details(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.usage.prompt_tokens_details.model_dump()
    return found


def test_a_long_text_is_read_as_soft_memory_and_the_usage_says_so(client: openai.OpenAI) -> None:
    answer = ask(client)

    counts = details(answer)
    assert 144 <= counts["original_tokens"] <= 200
    assert counts["original_tokens"] / 6 < counts["soft_tokens"] <= counts["original_tokens"] / 4.5
    assert counts["text_tokens"] + counts["soft_tokens"] == answer.usage.prompt_tokens
    assert answer.usage.completion_tokens <= 6


def test_a_stream_is_the_same_text_with_the_same_usage(client: openai.OpenAI) -> None:
    plain = ask(client)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))

    shown = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert plain.choices[0].message.content == shown
    assert plain.usage.prompt_tokens == chunks[-1].usage.prompt_tokens


def test_a_text_that_was_asked_about_before_costs_no_compression(client: openai.OpenAI) -> None:
    ask(client, "a text of its own " + DOCUMENT)
    again = ask(client, "a text of its own " + DOCUMENT)

    assert (0, 1) == (again.timings["soft_computed"], again.timings["soft_reused"])
    assert 0 == again.timings["soft_ms"]


def test_a_second_question_about_four_thousand_tokens_costs_no_compression(client: openai.OpenAI) -> None:
    document = DOCUMENT * 26
    asked: list[Any] = [
        {"role": "user", "content": [{"type": "text", "text": document}, {"type": "text", "text": ""}]}
    ]
    first = ask(client, model="long", messages=asked)
    asked[0]["content"][1]["text"] = "And another question?"
    second = ask(client, model="long", messages=asked)

    assert 4000 <= details(second)["original_tokens"] <= 4500
    assert 1 == first.timings["soft_computed"]
    assert (0, 1, 0) == tuple(second.timings[name] for name in ("soft_computed", "soft_reused", "soft_ms"))


def test_without_a_store_it_is_compressed_again_to_the_same_answer(client: openai.OpenAI) -> None:
    kept, made = ask(client), ask(client, model="slow")

    assert 1 == made.timings["soft_computed"] == ask(client, model="slow").timings["soft_computed"]
    assert kept.choices[0].message.content == made.choices[0].message.content


def test_memory_on_disk_outlives_the_proxy(folder: Path, client: openai.OpenAI) -> None:
    first = ask(client, "kept on disk " + DOCUMENT)
    with (
        LiveProxy(create_app(Settings(), load(folder / "moos.yaml"), FakeCompressor())) as other,
        openai.OpenAI(base_url=f"{other.url}/v1", api_key="any", max_retries=0) as fresh,
    ):
        again = ask(fresh, "kept on disk " + DOCUMENT)

    assert 1 == again.timings["soft_reused"]
    assert first.choices[0].message.content == again.choices[0].message.content


def test_a_short_text_and_a_role_that_is_protected_stay_text(client: openai.OpenAI) -> None:
    short = ask(client, "only a few words")
    system = ask(
        client, "short", messages=[{"role": "system", "content": DOCUMENT}, {"role": "user", "content": "x"}]
    )

    assert "soft_tokens" not in details(short)
    assert "soft_tokens" not in details(system)


def test_the_hard_compressor_leaves_alone_what_becomes_memory(client: openai.OpenAI) -> None:
    soft = details(ask(client, model="slow"))
    plain = ask(client, model="slow", wish="plain")

    # Without a soft policy the fake compressor cuts every second word: even with the template that is less.
    assert soft["original_tokens"] > plain.usage.prompt_tokens


def test_a_policy_chooses_the_method(client: openai.OpenAI) -> None:
    sac, former = ask(client), ask(client, wish="icformer")

    assert details(former)["soft_tokens"] > 0
    assert sac.choices[0].message.content != former.choices[0].message.content


def test_a_ratio_that_was_not_trained_goes_out_as_text_where_the_policy_forwards(client: openai.OpenAI) -> None:
    answer = ask(client, wish="untrained")

    assert "soft_tokens" not in details(answer)
    assert answer.usage.prompt_tokens > 140


def test_a_ratio_that_was_not_trained_is_refused_where_the_policy_rejects(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="trained for 5, not for 7") as refused:
        ask(client, wish="strict")
    assert "soft_compression_failed" == refused.value.code


def test_a_method_that_the_model_has_not_is_refused_by_name(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"no icae compressor \(it has sac, icformer\)"):
        ask(client, wish="icae")


def test_a_text_beyond_the_bound_goes_out_as_text(client: openai.OpenAI) -> None:
    assert "soft_tokens" not in details(ask(client, model="short"))


def test_a_compressor_of_another_model_is_named(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match=r"foreign was trained for other .* not for model"):
        ask(client, model="foreign")


def test_a_missing_model_directory_is_named(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="nowhere holds no causal language model"):
        ask(client, model="missing")


def test_an_unknown_model_is_refused_with_the_known_ones(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"it has .*soft"):
        ask(client, model="other")


def test_a_prompt_beyond_the_window_is_refused_with_the_numbers(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length is 2048") as refused:
        ask(client, DOCUMENT * 20)
    assert "context_length_exceeded" == refused.value.code


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert {"soft", "slow"} <= {model.id for model in client.models.list()}


def test_one_request_at_a_time_and_the_rest_is_told_to_come_again(client: openai.OpenAI) -> None:
    def one(_: int) -> Any:
        try:
            return ask(client, max_tokens=400, logit_bias={"1": -100}).choices[0].finish_reason
        except openai.RateLimitError as full:
            return full.response.headers["retry-after"]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(4)))

    assert 2 == answers.count("length")
    assert all(int(each) >= 1 for each in answers if each != "length")


def test_a_client_that_goes_away_frees_the_model(client: openai.OpenAI) -> None:
    stream = ask(client, stream=True, max_tokens=1500, logit_bias={"1": -100})
    parts = iter(stream)
    next(parts)
    began = time.monotonic()
    for _ in range(50):
        next(parts)
    left = time.monotonic()
    stream.close()

    assert "length" == ask(client).choices[0].finish_reason
    # However busy the machine is: more than fourteen hundred tokens were still to come.
    assert time.monotonic() - left < 14 * (left - began)


def test_stop_strings_and_seeds_hold(client: openai.OpenAI) -> None:
    drawn = [ask(client, temperature=1, seed=4, max_tokens=12).choices[0].message.content for _ in range(2)]
    assert drawn[0] == drawn[1]

    cut = ask(client, temperature=1, seed=4, max_tokens=12, stop=[drawn[0][3:5]])
    assert drawn[0][: drawn[0].index(drawn[0][3:5])] == cut.choices[0].message.content


def test_a_tenant_never_uses_the_memory_of_another(folder: Path) -> None:
    file = folder / "teams.yaml"
    teams = {name: {"keys": [hash_key(key)]} for name, key in KEYS.items()}
    file.write_text(yaml.safe_dump({**configuration(folder), "teams": teams}))
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as proxy:
        reused = []
        for team in ("red", "blue", "red"):
            with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEYS[team], max_retries=0) as client:
                reused.append(ask(client, "for teams " + DOCUMENT).timings["soft_reused"])

    assert [0, 0, 1] == reused


def test_no_text_is_written_to_disk(folder: Path, client: openai.OpenAI) -> None:
    ask(client)
    files = list((folder / "store").glob("*.memory"))

    assert files
    assert not [file for file in files if b"eleven" in file.read_bytes()]
    assert json.dumps(DOCUMENT[:20]).encode() not in files[0].read_bytes()
