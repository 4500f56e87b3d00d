"""How many tokens the target model will count, where its tokenizer is known and on this machine.

The names are tiktoken's encodings; a model name resolves to its encoding. Nothing is downloaded: the encodings
are those in TIKTOKEN_CACHE_DIR, and those that litellm carries, so that every worker of a version has them.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moosproxy.compressor.text.encoding import Encoding, IntArray

if TYPE_CHECKING:
    import tiktoken

ENCODER_PIECES = "encoder"
_SECTION_CHARS = 65_536
_loading = threading.Lock()


class TokenCounter:
    """Counts tokens of texts and words with one tiktoken encoding."""

    def __init__(self, encoding: tiktoken.Encoding):
        self.name = encoding.name
        self._encoding = encoding
        self._word_cost = lru_cache(maxsize=65_536)(self._count_word)

    def count(self, text: str) -> int:
        """Tokens of the text; special tokens in it count as ordinary text."""
        return sum(
            len(self._encoding.encode_ordinary(text[at : at + _SECTION_CHARS]))
            for at in range(0, len(text), _SECTION_CHARS)
        )

    def word_costs(self, text: str, encoding: Encoding) -> IntArray:
        """Tokens charged to each word, shape (words,): those of the word with the space before it, if any."""
        starts, ends = encoding.word_starts.tolist(), encoding.word_ends.tolist()
        spaced = [start > 0 and text[start - 1] == " " for start in starts]
        return np.fromiter(
            (
                self._word_cost(text[start - gap : end])
                for start, end, gap in zip(starts, ends, spaced, strict=True)
            ),
            np.int32,
            len(starts),
        )

    def _count_word(self, word: str) -> int:
        return len(self._encoding.encode_ordinary(word))


@lru_cache(maxsize=64)
def counter_for(name: str | None) -> TokenCounter | None:
    """The counter for an encoding or model name; None if it is unknown or not on this machine."""
    if name is None:
        return None
    import tiktoken

    try:
        encoding = tiktoken.encoding_name_for_model(name.rsplit("/", 1)[-1])
    except KeyError:
        encoding = name
    if encoding not in tiktoken.list_encoding_names():
        return None
    return _load(encoding)


@lru_cache(maxsize=8)
def _load(encoding: str) -> TokenCounter | None:
    import tiktoken

    spec = importlib.util.find_spec("litellm")
    carried = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers" if spec and spec.origin else None
    for folder in (os.environ.get("TIKTOKEN_CACHE_DIR"), carried):
        if not folder:
            continue
        with _loading, _offline_cache(str(folder)):
            try:
                return TokenCounter(tiktoken.get_encoding(encoding))
            except (OSError, ValueError):
                continue
    return None


@contextmanager
def _offline_cache(folder: str) -> Iterator[None]:
    """Points tiktoken at the encodings in a folder while one is read, and forbids any download.

    tiktoken knows no other way in than its environment variable; the caller holds the lock.
    """
    import tiktoken.load

    before, read = os.environ.get("TIKTOKEN_CACHE_DIR"), tiktoken.load.read_file
    os.environ["TIKTOKEN_CACHE_DIR"] = folder
    tiktoken.load.read_file = _refuse
    try:
        yield
    finally:
        tiktoken.load.read_file = read
        if before is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = before


def _refuse(blobpath: str) -> bytes:
    raise OSError(f"{blobpath} is not on this machine")
