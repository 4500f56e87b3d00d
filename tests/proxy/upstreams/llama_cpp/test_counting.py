"""What headers say agrees with what the model reads, in the model's own tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from moosproxy.compressor.text import gguf_tokens, tokens
from tests.proxy import tiny_gguf
from tests.proxy.live import LiveProxy
from tests.proxy.upstreams.llama_cpp.conftest import made
from tests.proxy.upstreams.llama_cpp.real.files import real_model, vocabulary_of

pytestmark = tiny_gguf.needs_llama_cpp

_WHO = ("The committee", "A visitor", "Our supplier", "The harbour master", "Her cousin", "The old gardener")
_DID = ("looked at the timber", "asked about the roof", "painted the long fence", "carried the boxes upstairs")
_WHEN = ("after lunch", "during the storm", "late in the evening", "before the others came", "on the way home")
PROSE = "".join(f"{who} {did} {when}. " for who in _WHO for did in _DID for when in _WHEN)
MIXED = (
    "Grüße, 世界! I'LL  count 12345 x<5\n\n  def f(x):\n\treturn [x]  😀 don't ﬁ ½ ²\r\n",
    "русский текст, 漢字かな混じり文 ١٢٣ \u00a0\u2003 a\u0301 \x00\x7f",
    "{'a': [1, 2.5e10], \"b\": null} // we're THEY'RE it'S\n\n\n   \n",
)


@pytest.fixture(scope="module", params=[None, "auto"])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    """With the real compressor, and a policy that names no tokenizer."""
    from moosproxy.compressor import Compressor

    folder = tmp_path_factory.mktemp("counting")
    path = tiny_gguf.write(folder / "m.gguf")
    policy = {"ratio": 2, "min_tokens": 50, "tokenizer": request.param, "break_even": False}
    with (
        Compressor.load() as compressor,
        tiny_gguf.local_proxy(folder, {"m": {"path": str(path)}}, defaults=policy, compressor=compressor) as proxy,
    ):
        yield proxy


def test_headers_count_what_the_model_reads(live: LiveProxy) -> None:
    with made(live) as client:

        def read(ratio: float) -> tuple[int, Any]:
            answer = client.chat.completions.with_raw_response.create(
                model="m",
                messages=[{"role": "user", "content": PROSE}],
                max_tokens=1,
                extra_headers={"x-moos-ratio": str(ratio)},
            )
            usage = answer.parse().usage
            assert usage
            return usage.prompt_tokens, answer.headers

        whole, _ = read(1)
        short, headers = read(2)
    before, after = (int(headers[f"x-moos-tokens-{name}"]) for name in ("before", "after"))

    assert before > 1.5 * after
    assert len(tiny_gguf.tokenizer().encode(PROSE).ids) == before
    assert whole - short == pytest.approx(before - after, abs=2)


@pytest.mark.parametrize("name", ["smollm2", "qwen2.5"])
def test_real_vocabularies_are_counted_as_llama_cpp_counts(name: str) -> None:
    path: Path = real_model(name)
    vocabulary = vocabulary_of(path)
    counter = tokens.counter_for(gguf_tokens.name_of(path))

    assert counter is not None
    for text in (*MIXED, PROSE):
        assert len(vocabulary.tokens(text, add_special=False)) == counter.count(text), text


def test_the_endpoint_that_only_compresses_counts_alike(live: LiveProxy) -> None:
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0) as client:
        body = {"model": "m", "messages": [{"role": "user", "content": PROSE}]}
        found: Any = client.post("/compress", body=body, cast_to=object)

    assert len(tiny_gguf.tokenizer().encode(PROSE).ids) == found["tokens_before"]
