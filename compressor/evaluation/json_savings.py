"""What shortening saves of JSON, and whether what is left parses and says the same.

Two sets: lists of tools as they are declared to a model (BFCL, indented), and results of tools that are objects or
arrays (tau-bench, one line each).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from moosproxy.compressor import records
from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.settings import CompressionSettings


class Savings(NamedTuple):
    """Of one set of texts. pooled: all tokens before / all after; mean: of the texts' own ratios.

    valid: share that parses. equal: share whose values are all the same, numbers as they are written.
    """

    texts: int
    pooled: float
    mean: float
    valid: float
    equal: float


def measure(
    data: Path, mode: Literal["lossless", "prose", "rows"], ratio: float, tokenizer: str, limit: int | None = None
) -> Iterator[tuple[str, Savings]]:
    """Each set's name and figures. limit: at most so many records of each. Raises CompressorError."""
    settings = CompressionSettings(ratio=ratio, json=mode, question="off", tokenizer=tokenizer)
    with Compressor.load() as compressor:
        for name, texts in SETS.items():
            rows = [_one(compressor, text, settings) for text in texts(data, limit)]
            before, after, valid, equal = (sum(column) for column in zip(*rows, strict=True))
            mean = sum(row[0] / row[1] for row in rows) / len(rows)
            yield name, Savings(len(rows), before / after, mean, valid / len(rows), equal / len(rows))


def _one(compressor: Compressor, text: str, settings: CompressionSettings) -> tuple[int, int, bool, bool]:
    """Tokens before and after, whether the shorter text parses, whether its values are equal."""
    short = compressor.compress(text, settings)
    try:
        value = _read(short.text)
    except ValueError:
        return short.tokens_before, short.tokens_after, False, False
    return short.tokens_before, short.tokens_after, True, value == _read(text)


def _read(text: str) -> object:
    """The values; numbers as they are written, objects the pairs that they are."""
    return json.loads(text, parse_int=_written, parse_float=_written, object_pairs_hook=tuple)


def _written(number: str) -> tuple[str, str]:
    return "number", number


def _tools(data: Path, limit: int | None) -> Iterator[str]:
    for row in records.read(data, "eval/tools_bfcl", limit):
        yield row["tools_json"]


def _results(data: Path, limit: int | None) -> Iterator[str]:
    for row in records.read(data, "eval/agent_tau_airline", limit):
        for message in row["messages"]:
            if message["role"] == "tool" and _is_container(message["content"]):
                yield message["content"]


def _is_container(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


SETS: Mapping[str, Callable[[Path, int | None], Iterator[str]]] = {"tool lists": _tools, "tool results": _results}
