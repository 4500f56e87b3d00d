from __future__ import annotations

import os
from pathlib import Path

import pytest

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


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    tokens._load.cache_clear()

    tokens.counter_for("p50k_base")

    assert "TIKTOKEN_CACHE_DIR" not in os.environ


def test_a_cache_folder_without_the_encoding_does_not_change_the_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("tiktoken.registry.ENCODINGS", {})
    tokens._load.cache_clear()
    tokens.counter_for.cache_clear()

    assert tokens.counter_for("gpt-4o") is not None
    assert os.environ["TIKTOKEN_CACHE_DIR"] == str(tmp_path)
