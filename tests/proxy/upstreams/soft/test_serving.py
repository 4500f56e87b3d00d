"""What a request over soft memory is told, what it may ask for, and what is computed for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import openai
import pytest
import yaml

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy

tiny_hf = pytest.importorskip("tests.proxy.tiny_hf", exc_type=ImportError)

from moosproxy.compressor.soft.models.icformer import IcFormer  # noqa: E402
from moosproxy.compressor.soft.models.sac import Sac  # noqa: E402

WORDS = "one two three four five six seven eight nine ten eleven twelve "
DOCUMENT = WORDS * 12
"""Its chunks are alike: what is kept of one serves others."""


def varied(words: int, seed: int) -> str:
    """A text no two chunks of which are alike."""
    return " ".join(Random(seed).choices(WORDS.split(), k=words)) + " "


SOFT = {"method": "sac", "ratio": 5, "min_tokens": 40}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("soft")
    model = tiny_hf.write_model(folder / "model")
    for method in ("sac", "icformer"):
        tiny_hf.write_compressor(folder / method, model, method, (4, 5))
    return folder


@pytest.fixture(scope="module")
def live(folder: Path) -> Iterator[LiveProxy]:
    own = {"path": str(folder / "model"), "compressors": [str(folder / "sac"), str(folder / "icformer")]}
    models = {"soft": {**own, "context": 8192}, "short": {**own, "max_part_tokens": 50}}
    models["gone"] = {"path": str(folder / "nowhere")}
    wishes: dict[str, Any] = {
        "strict": {"on_error": "reject"},
        "fixed": {"allow_bypass": False},
        "icformer": {"soft": {**SOFT, "method": "icformer"}},
        "icae": {"soft": {**SOFT, "method": "icae"}},
        "both": {"soft": {**SOFT, "shorten_first": True}},
    }
    routes: list[Any] = [
        {"match": {"header": {"x-wish": [name]}}, "overrides": fields, "upstreams": "here"}
        for name, fields in wishes.items()
    ]
    document = {
        "defaults": {"ratio": 2, "min_tokens": 20, "soft": SOFT},
        "upstreams": {
            "here": {"kind": "transformers", "hf_models": models},
            "away": {"kind": "echo"},
        },
        "routes": [*routes, {"upstreams": ["here", "away"]}],
    }
    file = folder / "moos.yaml"
    file.write_text(yaml.safe_dump(document))
    with LiveProxy(create_app(Settings(state_dir=folder / "state"), load(file), FakeCompressor())) as proxy:
        yield proxy


@pytest.fixture
def client(live: LiveProxy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tokens of each chunk that is compressed from now on."""
    seen: list[int] = []
    for kind in (Sac, IcFormer):
        encode = kind.encode

        def counted(self: Any, ids: Any, ratio: int, encode: Any = encode) -> Any:
            seen.extend([int(ids.shape[1])] * int(ids.shape[0]))
            return encode(self, ids, ratio)

        monkeypatch.setattr(kind, "encode", counted)
    return seen


def ask(client: openai.OpenAI, *texts: str, model: str = "soft", **headers: str) -> tuple[Any, httpx.Headers]:
    """The answer and its headers. texts: of the user's messages, the first behind a system message."""
    named = {f"x-{name.replace('_', '-')}": value for name, value in headers.items()}
    messages: list[Any] = [{"role": "system", "content": "Be brief."}]
    messages += [{"role": "user", "content": text} for text in texts]
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=messages, max_tokens=4, temperature=0, extra_headers=named
    )
    return raw.parse(), raw.headers


def details(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.usage.prompt_tokens_details.model_dump()
    return found


def test_an_answer_carries_the_token_headers(client: openai.OpenAI) -> None:
    answer, told = ask(client, DOCUMENT)

    counts = details(answer)
    before, after = int(told["x-moos-tokens-before"]), int(told["x-moos-tokens-after"])
    # The system message is estimated: three tokens on either side.
    assert (counts["original_tokens"] + 3, counts["soft_tokens"] + 3) == (before, after)
    assert pytest.approx(before / after, abs=0.01) == float(told["x-moos-ratio"])
    assert "0=role" == told["x-moos-skipped"]
    assert float(told["x-moos-compression-ms"]) > 0
    again = ask(client, DOCUMENT)[1]
    assert ("1", "0.00") == (again["x-moos-cache-hits"], again["x-moos-compression-ms"])


def test_a_stream_carries_them_too(client: openai.OpenAI) -> None:
    plain = ask(client, DOCUMENT)[1]
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": DOCUMENT}]
    with client.chat.completions.with_streaming_response.create(
        model="soft", messages=messages, max_tokens=4, stream=True
    ) as stream:
        assert plain["x-moos-tokens-after"] == stream.headers["x-moos-tokens-after"]


@pytest.mark.parametrize("path", ["responses", "messages"])
def test_other_doors_carry_them_too(live: LiveProxy, path: str) -> None:
    said: dict[str, Any] = {"input": DOCUMENT} if path == "responses" else {
        "messages": [{"role": "user", "content": DOCUMENT}], "max_tokens": 4
    }  # fmt: skip
    answer = httpx.post(f"{live.url}/v1/{path}", json={"model": "soft", **said}, timeout=60)

    assert 200 == answer.status_code
    assert int(answer.headers["x-moos-tokens-before"]) > 3 * int(answer.headers["x-moos-tokens-after"])


def test_a_request_may_ask_for_any_ratio_that_was_trained(client: openai.OpenAI) -> None:
    by_ratio = {ratio: details(ask(client, DOCUMENT, moos_ratio=ratio)[0])["soft_tokens"] for ratio in ("4", "5")}

    assert by_ratio["4"] > by_ratio["5"]
    whole = details(ask(client, DOCUMENT)[0])["original_tokens"]
    assert abs(by_ratio["4"] - whole / 4) <= 3


@pytest.mark.parametrize("ratio", ["7", "4.5"])
def test_a_ratio_that_was_not_trained_is_named_or_refused(client: openai.OpenAI, ratio: str) -> None:
    answer, told = ask(client, DOCUMENT, moos_ratio=ratio)
    with pytest.raises(openai.BadRequestError, match=f"trained for 4, 5, not for {ratio}"):
        ask(client, DOCUMENT, moos_ratio=ratio, wish="strict")

    assert "soft_tokens" not in details(answer)
    assert "0=role,1=soft_ratio" == told["x-moos-skipped"]
    assert told["x-moos-tokens-before"] == told["x-moos-tokens-after"]


def test_no_compression_is_told_as_what_it_is(client: openai.OpenAI) -> None:
    one, bypassed = ask(client, DOCUMENT, moos_ratio="1")[1], ask(client, DOCUMENT, moos_bypass="true")[1]
    kept = details(ask(client, DOCUMENT, moos_ratio="1", wish="fixed")[0])

    assert "0=disabled,1=disabled" == one["x-moos-skipped"]
    assert "0=bypass,1=bypass" == bypassed["x-moos-skipped"]
    assert pytest.approx(kept["original_tokens"] / 5, abs=3) == kept["soft_tokens"]


def test_every_reason_for_text_has_its_name(live: LiveProxy, client: openai.OpenAI) -> None:
    long, method = ask(client, DOCUMENT, model="short")[1], ask(client, DOCUMENT, wish="icae")[1]
    metrics = httpx.get(f"{live.url}/metrics").text

    assert "0=role,1=soft_too_long" == long["x-moos-skipped"]
    assert "0=role,1=soft_method" == method["x-moos-skipped"]
    assert 'outcome="soft_too_long"' in metrics
    assert 'outcome="soft_method"' in metrics


def test_an_upstream_without_soft_compression_is_named(client: openai.OpenAI) -> None:
    """There is no such directory, so the next upstream answers."""
    answer, told = ask(client, DOCUMENT, model="gone")

    assert answer.choices[0].message.content
    assert "0=soft_elsewhere,1=soft_elsewhere" == told["x-moos-skipped"]


@pytest.mark.parametrize("wish", ["", "icformer"])
def test_a_second_question_computes_nothing(client: openai.OpenAI, computed: list[int], wish: str) -> None:
    document = varied(3800, 1 + len(wish))
    first, _ = ask(client, document, "why?", wish=wish)
    seen = list(computed)
    second, _ = ask(client, document, "and what else?", wish=wish)

    assert 4000 <= details(first)["original_tokens"] <= 4600
    assert details(first)["original_tokens"] == sum(seen)
    assert seen == computed
    assert (0, 1, 0) == tuple(second.timings[name] for name in ("soft_computed", "soft_reused", "soft_chunks"))


@pytest.mark.parametrize("wish", ["", "icformer"])
def test_a_longer_document_computes_its_end_alone(client: openai.OpenAI, computed: list[int], wish: str) -> None:
    document = varied(720, 2 + len(wish))
    first, _ = ask(client, document, wish=wish)
    computed.clear()
    second, _ = ask(client, document + "and one thing more", wish=wish)

    assert first.timings["soft_chunks"] > 10
    assert 1 <= len(computed) == second.timings["soft_chunks"] <= 3
    assert (1, 0) == (second.timings["soft_computed"], second.timings["soft_reused"])
    fresh, _ = ask(client, "one two three " + document, wish=wish)
    assert fresh.timings["soft_chunks"] > 10


def test_a_text_may_be_shortened_before_it_becomes_memory(client: openai.OpenAI) -> None:
    soft, told_soft = ask(client, DOCUMENT)
    both, told = ask(client, DOCUMENT, wish="both")

    assert details(both)["original_tokens"] < 0.7 * details(soft)["original_tokens"]
    assert details(both)["soft_tokens"] < 0.7 * details(soft)["soft_tokens"]
    assert float(told["x-moos-ratio"]) > 1.4 * float(told_soft["x-moos-ratio"])
    assert "0=role" == told["x-moos-skipped"]
    assert details(ask(client, DOCUMENT, wish="both", moos_ratio="4")[0])["soft_tokens"] > 0


def test_where_memory_is_not_possible_what_was_shortened_goes_out_as_text(client: openai.OpenAI) -> None:
    answer, told = ask(client, DOCUMENT, wish="both", moos_ratio="7")

    assert "soft_tokens" not in details(answer)
    assert "0=role,1=soft_ratio" == told["x-moos-skipped"]
    assert int(told["x-moos-tokens-after"]) < 0.7 * int(told["x-moos-tokens-before"])


def test_a_conversation_of_several_documents_keeps_each(client: openai.OpenAI, computed: list[int]) -> None:
    first, second = "first of two " + DOCUMENT, "second of two " + DOCUMENT
    ask(client, first)
    computed.clear()
    answer, told = ask(client, first, "a short word", second)

    assert 2 * 150 <= details(answer)["original_tokens"]
    assert (1, 1) == (answer.timings["soft_computed"], answer.timings["soft_reused"])
    assert sum(computed) < 0.6 * details(answer)["original_tokens"]
    assert "0=role,2=too_short" == told["x-moos-skipped"]


def test_a_text_that_there_is_no_memory_for_is_read_as_text(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(self: Any, ids: Any, ratio: int) -> Any:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes")

    monkeypatch.setattr(Sac, "encode", too_large)
    answer, told = ask(client, varied(200, 77))
    with pytest.raises(openai.BadRequestError, match=r"not enough memory to compress a text of \d+ tokens"):
        ask(client, varied(200, 77), wish="strict")

    assert "soft_tokens" not in details(answer)
    assert "0=role,1=soft_memory" == told["x-moos-skipped"]


def test_what_needs_every_word_is_read_as_text(client: openai.OpenAI, computed: list[int]) -> None:
    answer, told = ask(client, f"Translate the following text into French:\n\n{DOCUMENT} Nothing else.")
    after = ask(client, "Please translate to French", f"{DOCUMENT} Nothing more.")[1]

    assert computed == []
    assert "1=every_word" in told["x-moos-skipped"]
    assert "2=every_word" in after["x-moos-skipped"]
    assert told["x-moos-tokens-before"] == told["x-moos-tokens-after"]
    assert not details(answer).get("soft_tokens")
