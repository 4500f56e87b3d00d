"""Critical words planted into running text: ids, amounts, names and error codes that a task would hang on.

The ground is the held-out slice of the training text: nothing is tuned on a reported set, or on what was learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.measures.critical import sentences
from moosproxy.compressor.kept import Span

KINDS = ("id", "amount", "name", "error code")
TEXT_CHARS = 2400
PLANTS = 6
# No sentence of the training data is longer than this after the cut; shorter ones carry no plant.
MIN_SENTENCE = 40
_SYLLABLES = ("va", "ker", "tho", "mi", "lun", "dra", "sel", "ost", "bri", "quen", "zar", "ul", "fe", "nim", "gor")


@dataclass(frozen=True)
class Planted:
    """A text with what was planted: its kinds and spans."""

    text: str
    spans: tuple[Span, ...]
    kinds: tuple[str, ...]


def grounds(data: Path, domain: str, count: int) -> list[str]:
    """At most `count` texts of one domain: "questions" (in domain), "meetings" or "agents" (out of it)."""
    if domain == "questions":
        rows = [row["context"] for row in held_out(data, "qa_spans")]
        whole = ["\n\n".join(rows[at : at + 4]) for at in range(0, len(rows), 4)]
    else:
        name, key = ("meetings", "transcript") if domain == "meetings" else ("unlabeled_agent_text", "text")
        whole = [row[key] for row in held_out(data, name)]
    texts = [
        text[at : at + TEXT_CHARS]
        for text in whole
        for at in range(0, max(len(text) - MIN_SENTENCE, 1), TEXT_CHARS)
    ]
    order = np.random.default_rng(5).permutation(len(texts))[:count]
    return [texts[index] for index in order]


def held_out(data: Path, name: str) -> list[records.Record]:
    """The training records that `moos train` keeps away from training; all of them where that is none."""
    rows = list(records.read(data, f"train/{name}"))
    return [row for row in rows if records.held_out(row)] or rows


def plant(text: str, rng: np.random.Generator) -> Planted:
    """The text with PLANTS critical words, each after a word inside a sentence of its own."""
    places = [span for span in sentences(text) if span[1] - span[0] >= MIN_SENTENCE]
    chosen = sorted(rng.choice(len(places), min(PLANTS, len(places)), replace=False)) if places else []
    out, spans, kinds, at, length = [], [], [], 0, 0
    for number in chosen:
        start, end = places[number]
        cut = text.rfind(" ", start, start + int(rng.integers(MIN_SENTENCE // 2, end - start)))
        if cut <= max(start, at):
            continue
        kind = KINDS[int(rng.integers(len(KINDS)))]
        word = _word(kind, rng)
        out += [text[at:cut], " ", word]
        length += cut - at + 1
        spans.append((length, length + len(word)))
        kinds.append(kind)
        length += len(word)
        at = cut
    return Planted("".join(out) + text[at:], tuple(spans), tuple(kinds))


def _word(kind: str, rng: np.random.Generator) -> str:
    if kind == "id":
        return "".join(rng.choice(list("0123456789abcdef"), 8))
    if kind == "amount":
        return f"{rng.integers(100, 99999)}.{rng.integers(10, 99)}"
    if kind == "name":
        return _name(rng, int(rng.integers(2, 4))).capitalize()
    return f"E{_name(rng, 1).upper()}{rng.integers(100, 999)}"


def _name(rng: np.random.Generator, syllables: int) -> str:
    return "".join(rng.choice(_SYLLABLES, syllables))


def planted(data: Path, domain: str, count: int) -> Sequence[Planted]:
    """`count` planted texts of a domain, the same ones every time."""
    rng = np.random.default_rng(11)
    return [plant(text, rng) for text in grounds(data, domain, count)]
