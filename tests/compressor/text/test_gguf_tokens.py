"""Tokens counted by the vocabulary in a GGUF file."""

from __future__ import annotations

from pathlib import Path

import pytest

from moosproxy.compressor import CompressionSettings
from moosproxy.compressor.text import gguf_tokens, tokens
from tests.proxy import tiny_gguf

pytestmark = tiny_gguf.needs_llama_cpp

TEXT = "Grüße, 世界! I'LL  count 12345 x<5\n\n  def f(x):\n\treturn [x]  😀 don't <|im_end|>\r\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file."""
    return tiny_gguf.write(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_a_files_own_tokenizer_counts(tiny: Path) -> None:
    counter = tokens.counter_for(gguf_tokens.name_of(tiny))

    assert counter is not None
    text = TEXT.replace("<|im_end|>", "")
    assert len(tiny_gguf.tokenizer().encode(text).ids) == counter.count(text)
    assert str(tiny) not in counter.name
    assert counter.count("a \ud83d b") > 0


def test_the_name_changes_with_the_vocabulary_and_nothing_else(tiny: Path, tmp_path: Path) -> None:
    def digest(path: Path) -> str:
        return (gguf_tokens.name_of(path) or "").split(":")[1]

    same = tiny_gguf.write(tmp_path / "same.gguf", seed=3)
    other = tmp_path / "other.gguf"
    other.write_bytes(tiny.read_bytes().replace("Ġlist".encode(), "Ġtsil".encode()))

    assert digest(tiny) == digest(same) != digest(other)
    names = [CompressionSettings(tokenizer=gguf_tokens.name_of(path)).digest() for path in (tiny, other)]
    assert names[0] != names[1]


def test_a_file_that_has_changed_or_gone_is_not_counted_by(tiny: Path, tmp_path: Path) -> None:
    name = gguf_tokens.name_of(tiny) or ""

    assert tokens.counter_for(name.replace(str(tiny), str(tmp_path / "none.gguf"))) is None
    assert tokens.counter_for(f"gguf:0123456789abcdef:{tiny}") is None


def test_a_vocabulary_of_another_kind_has_no_name(tiny: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(tiny.read_bytes().replace(b"gpt2", b"t5t5", 1))

    assert gguf_tokens.name_of(other) is None
