"""How many tokens the target model will count, where its tokenizer is known and on this machine.

The names are tiktoken's encodings; a model name resolves to its encoding. Nothing is downloaded: the encodings
are those that litellm carries, or those in TIKTOKEN_CACHE_DIR.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compressor.encoding import Encoding, IntArray

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

    with _loading, _offline_cache():
        try:
            return TokenCounter(tiktoken.get_encoding(encoding))
        except (OSError, ValueError):
            return None


class _offline_cache:
    """Points tiktoken at the encodings on this machine while one is read, and forbids any download.

    tiktoken knows no other way in than its environment variable; the caller holds the lock.
    """

    def __enter__(self) -> None:
        self._before = os.environ.get("TIKTOKEN_CACHE_DIR")
        if self._before is None:
            spec = importlib.util.find_spec("litellm")
            folder = Path(spec.origin).parent if spec and spec.origin else Path()
            os.environ["TIKTOKEN_CACHE_DIR"] = str(folder / "litellm_core_utils" / "tokenizers")
        import tiktoken.load

        self._read = tiktoken.load.read_file
        tiktoken.load.read_file = _refuse

    def __exit__(self, *_: object) -> None:
        import tiktoken.load

        tiktoken.load.read_file = self._read
        if self._before is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]


def _refuse(blobpath: str) -> bytes:
    raise OSError(f"{blobpath} is not on this machine")
