"""How many tokens the target model will count, where its tokenizer is known and on this machine.

The names are tiktoken's encodings; a model name resolves to its encoding, and `gguf:` begins the name of a GGUF
file's own tokenizer. Nothing is downloaded: the encodings of
OpenAI's current models lie in `encodings/`, so that every worker of a version counts alike, and further ones are
read where TIKTOKEN_CACHE_DIR points to.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from moosproxy.compressor.text import gguf_tokens
from moosproxy.compressor.text.encoding import Encoding, IntArray

ENCODER_PIECES = "encoder"
# OpenAI's files, byte for byte, packed; see NOTICE. tiktoken names them by the address it would fetch them from.
_FILES = Path(__file__).parent / "encodings"
_STORE = "https://openaipublic.blob.core.windows.net/encodings/"
_SECTION_CHARS = 65_536
_loading = threading.Lock()


class TokenCounter:
    """Counts tokens of texts and words with one tokenizer."""

    def __init__(self, name: str, encode: Callable[[str], Sequence[int]]):
        """encode: special tokens in a text are ordinary text to it."""
        self.name = name
        self._encode = encode
        self._word_cost = lru_cache(maxsize=65_536)(self._count_word)

    def count(self, text: str) -> int:
        """Tokens of the text; special tokens in it count as ordinary text."""
        return sum(len(self._encode(text[at : at + _SECTION_CHARS])) for at in range(0, len(text), _SECTION_CHARS))

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
        return len(self._encode(word))


@lru_cache(maxsize=64)
def counter_for(name: str | None) -> TokenCounter | None:
    """The counter for an encoding or model name; None if it is unknown or not on this machine."""
    if name is None:
        return None
    if name.startswith(gguf_tokens.PREFIX):
        return _of_gguf(name)
    import tiktoken

    try:
        encoding = tiktoken.encoding_name_for_model(name.rsplit("/", 1)[-1])
    except KeyError:
        encoding = name
    if encoding not in tiktoken.list_encoding_names():
        return None
    return _load(encoding)


@lru_cache(maxsize=64)
def at_hand(name: str | None) -> bool:
    """Whether there is a counter for an encoding or model name, as far as that shows without reading its files."""
    if name is None or name.startswith(gguf_tokens.PREFIX):
        return name is not None
    import tiktoken

    try:
        encoding = tiktoken.encoding_name_for_model(name.rsplit("/", 1)[-1])
    except KeyError:
        encoding = name
    return (_FILES / f"{encoding}.tiktoken.gz").is_file()


@lru_cache(maxsize=8)
def _load(encoding: str) -> TokenCounter | None:
    import tiktoken

    with _loading, _offline():
        try:
            found = tiktoken.get_encoding(encoding)
        except OSError:
            return None
    return TokenCounter(found.name, found.encode_ordinary)


def _of_gguf(name: str) -> TokenCounter | None:
    tokenizer = gguf_tokens.load(name)
    if tokenizer is None:
        return None

    def encode(text: str) -> Sequence[int]:
        text = text.encode("utf-8", "replace").decode()  # a lone surrogate is no text for the library
        found: Sequence[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return found

    return TokenCounter(":".join(name.split(":")[:2]), encode)  # without the path: results are shown to callers


def write_cache(folder: Path) -> None:
    """Unpacks the encodings into a folder that TIKTOKEN_CACHE_DIR can point to, for programs that use tiktoken."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in _FILES.glob("*.gz"):
        (folder / _cache_name(_STORE + file.stem)).write_bytes(gzip.decompress(file.read_bytes()))


@contextmanager
def _offline() -> Iterator[None]:
    """While an encoding is loaded, tiktoken reads files of this machine alone; the caller holds the lock."""
    import tiktoken.load

    usual = tiktoken.load.read_file_cached
    tiktoken.load.read_file_cached = _file
    try:
        yield
    finally:
        tiktoken.load.read_file_cached = usual


def _file(blobpath: str, expected_hash: str | None = None) -> bytes:
    """The file that tiktoken would fetch from this address. Raises OSError where it is not on this machine."""
    packed = _FILES / f"{blobpath.removeprefix(_STORE)}.gz"
    folder = os.environ.get("TIKTOKEN_CACHE_DIR")
    cached = Path(folder, _cache_name(blobpath)) if folder else None
    for path, unpack in ((packed, gzip.decompress), (cached, bytes)):
        if path is not None and path.is_file():
            content = unpack(path.read_bytes())
            if expected_hash in (None, hashlib.sha256(content).hexdigest()):
                return content
    raise FileNotFoundError(f"{blobpath} is not on this machine")


def _cache_name(address: str) -> str:
    return hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
