from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken

from moosproxy.compressor.text import tokens


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("openai/gpt-4o-mini", "o200k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("cl100k_base", "cl100k_base"),
    ],
)
def test_models_of_openai_are_counted_offline_with_their_own_tokenizer(name: str, encoding: str) -> None:
    counter = tokens.counter_for(name)

    assert counter is not None
    assert encoding == counter.name
    assert 4 == counter.count("Hello world, hello") - counter.count("")


@pytest.mark.parametrize("name", [None, "qwen2.5-7b", "no-such-model", ""])
def test_an_unknown_tokenizer_is_none(name: str | None) -> None:
    assert tokens.counter_for(name) is None


def test_special_tokens_in_a_text_are_ordinary_text() -> None:
    counter = tokens.counter_for("gpt-4o")

    assert counter is not None
    assert counter.count("<|endoftext|>") > 1


def test_word_costs_add_up_to_about_the_whole(tmp_path: object) -> None:
    import numpy as np

    from moosproxy.compressor.text import words
    from moosproxy.compressor.text.encoding import Encoding

    text = "The committee did not approve the 12 unusual proposals, did it? " * 30
    starts, ends = words.find(text)
    none = np.zeros(0, np.int32)
    counter = tokens.counter_for("gpt-4o")
    assert counter is not None

    costs = counter.word_costs(text, Encoding(none, none, none, starts, ends))

    assert len(starts) == len(costs)
    assert counter.count(text) == pytest.approx(int(costs.sum()), rel=0.05)


def test_an_encoding_that_is_not_here_is_none_and_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setattr("requests.get", lambda *_, **__: pytest.fail("fetched"))
    usual = tiktoken.load.read_file_cached
    tokens._load.cache_clear()

    assert tokens._load("p50k_base") is None
    assert tiktoken.load.read_file_cached is usual


def test_a_cache_folder_without_the_encoding_does_not_change_the_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("tiktoken.registry.ENCODINGS", {})
    tokens._load.cache_clear()
    tokens.counter_for.cache_clear()

    assert tokens.counter_for("gpt-4o") is not None
    assert os.environ["TIKTOKEN_CACHE_DIR"] == str(tmp_path)
    assert not list(tmp_path.iterdir())


def test_further_encodings_come_from_tiktokens_cache_folder_if_they_are_what_it_expects(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tokens.write_cache(tmp_path)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tokens, "_FILES", tmp_path / "none")
    monkeypatch.setattr("tiktoken.registry.ENCODINGS", {})
    file = tmp_path / tokens._cache_name(f"{tokens._STORE}cl100k_base.tiktoken")

    assert tokens._load.__wrapped__("cl100k_base") is not None
    file.write_bytes(file.read_bytes() + b"x")
    tiktoken.registry.ENCODINGS.clear()
    assert tokens._load.__wrapped__("cl100k_base") is None
    assert file.is_file()


_COUNT = """
import sys
sys.modules |= {"litellm": None, "requests": None}
from moosproxy.compressor.text.tokens import counter_for
assert "tiktoken" not in sys.modules
print([counter_for(name).count(sys.argv[1]) for name in ("gpt-4o", "gpt-4")])
"""


def test_counts_are_tiktokens_own_without_litellm_and_without_a_network(tmp_path: Path) -> None:
    """tiktoken itself checks its files' hashes, so these are OpenAI's counts."""
    text = "Grüße, 世界! def f(x):\n    return x ** 2  # 1,234.5 🍀 <|endoftext|>" * 9
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    counted = subprocess.run(
        [sys.executable, "-c", _COUNT, text], env=bare, capture_output=True, text=True, check=True
    )
    tokens.write_cache(tmp_path)
    script = (
        "import sys, json, tiktoken; sys.modules['requests'] = None\n"
        "names = ('o200k_base', 'cl100k_base')\n"
        "print(json.dumps([len(tiktoken.get_encoding(n).encode_ordinary(sys.argv[1])) for n in names]))"
    )
    cached = {**bare, "TIKTOKEN_CACHE_DIR": str(tmp_path)}
    own = subprocess.run(
        [sys.executable, "-c", script, text], env=cached, capture_output=True, text=True, check=True
    )

    assert counted.stdout == own.stdout
    assert all(count > 100 for count in json.loads(own.stdout))
