"""How many tokens a GGUF model reads in a text, by the vocabulary in its file. No weights are loaded.

Byte-level BPE alone, with the splits that llama.cpp knows under the file's `tokenizer.ggml.pre`; the library
tokenizers does the work. For any other kind there is no counter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from moosproxy.compressor.text import gguf_head

PREFIX = "gguf:"
_FIELDS = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")
_DIGEST = 16
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
_DIGITS = r"\p{N}"
# llama.cpp's name -> the splits, one after the other
_SPLITS = {
    "gpt-2": [_GPT2],
    "llama-bpe": [_LLAMA3],
    "llama-v3": [_LLAMA3],
    "llama3": [_LLAMA3],
    "qwen2": [_QWEN2],
    "refact": [_DIGITS, _GPT2],
    "smollm": [_DIGITS, _GPT2],
    "starcoder": [_DIGITS, _GPT2],
}


def name_of(path: Path) -> str | None:
    """The tokenizer's name for settings: the file and a digest of its vocabulary. None for an unknown kind.

    Raises OSError, and what a damaged head raises.
    """
    fields = gguf_head.read(path, _FIELDS)
    return f"{PREFIX}{_digest(fields)}:{path}" if _splits(fields) else None


def load(name: str) -> Tokenizer | None:
    """The tokenizer of that name; None where the file has gone or holds another vocabulary by now."""
    digest, _, path = name.removeprefix(PREFIX).partition(":")
    try:
        fields = gguf_head.read(Path(path), _FIELDS)
    except (OSError, *gguf_head.FAULTS):
        return None
    splits = _splits(fields)
    return _made(fields, splits) if splits and _digest(fields) == digest else None


def _splits(fields: dict[str, Any]) -> Sequence[str] | None:
    if fields.get("tokenizer.ggml.model") != "gpt2" or not all(fields.get(name) for name in _FIELDS):
        return None
    return _SPLITS.get(fields.get("tokenizer.ggml.pre", ""))


def _digest(fields: dict[str, Any]) -> str:
    said = [fields.get(name) for name in ("tokenizer.ggml.model", "tokenizer.ggml.pre", *_FIELDS)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:_DIGEST]


def _made(fields: dict[str, Any], splits: Sequence[str]) -> Tokenizer:
    tokens, merges = (fields[name] for name in _FIELDS)
    numbers = {token: number for number, token in enumerate(tokens)}
    pairs = [(pair[0], pair[2]) for pair in (merge.partition(" ") for merge in merges)]
    known = [pair for pair in pairs if pair[0] in numbers and pair[1] in numbers and "".join(pair) in numbers]
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=known))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(split), behavior="isolated") for split in splits),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer
