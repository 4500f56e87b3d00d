"""A labelled text becomes encoder inputs with one target a piece, along the path that serving takes too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.planning import windows
from moosproxy.compressor.text.encoding import Encoding, IntArray, TextEncoder
from moosproxy.compressor.training.data.labels import Floats, TaggedText, WordLabels
from moosproxy.compressor.training.data.lexicon import Lexicon


@dataclass(frozen=True)
class Item:
    """One encoder input. ids, type_ids, target, weight: shape (length,).

    Weight is 0 on special tokens and on the question. relevance: whether the window holds the answer, None
    where no question was asked.
    """

    ids: IntArray
    type_ids: npt.NDArray[np.int8]
    target: Floats
    weight: Floats
    relevance: bool | None


@dataclass(frozen=True)
class PreparedText:
    """A text encoded and tagged once, for as many labellings as there are questions about it."""

    tagged: TaggedText
    encoding: Encoding
    strength: npt.NDArray[np.int8]


def prepare(encoder: TextEncoder, lexicon: Lexicon, text: str) -> PreparedText:
    """Encodes and tags a text."""
    encoding = encoder.encode(text)
    starts, ends = encoding.word_starts, encoding.word_ends
    strength = windows.breaks(text, starts, ends)
    sentences = np.concatenate(([0], np.cumsum(strength > windows.NO_BREAK)[:-1])).astype(np.int32)
    keys = lexicon.keys([text[start:end] for start, end in zip(starts, ends, strict=True)])
    return PreparedText(TaggedText(text, starts, ends, keys, sentences[: len(starts)]), encoding, strength)


def build(
    encoder: TextEncoder, prepared: PreparedText, labels: WordLabels, question: IntArray | None = None
) -> list[Item]:
    """The items of a text: one a window, as serving would cut it."""
    return [item for item, _ in placed(encoder, prepared, labels, question)]


def placed(
    encoder: TextEncoder, prepared: PreparedText, labels: WordLabels, question: IntArray | None = None
) -> list[tuple[Item, windows.Window]]:
    """The items of a text, each with the window (the range of pieces) that it covers."""
    encoding = prepared.encoding
    if not len(encoding.ids):
        return []
    ranges = windows.cut(encoding, prepared.strength, None, windows.text_limit(question, encoder))
    word = encoding.piece_words
    made = []
    for window in windows.build(encoder, encoding, ranges, question, None):
        covered = word[window.start : window.stop]
        target = np.zeros(len(window.ids), np.float32)
        weight = np.zeros(len(window.ids), np.float32)
        text = slice(window.offset, window.offset + len(covered))
        target[text], weight[text] = labels.target[covered], labels.weight[covered]
        relevance = None if labels.evidence is None else bool(labels.evidence[covered].any())
        item = Item(window.ids, window.type_ids.astype(np.int8), target, weight, relevance)
        made.append((item, window))
    return made


def hardened(item: Item) -> Item:
    """Every labelled word 0 or 1 with weight 1: what a recipe without soft labels and weights sees."""
    target, weight = (item.target >= 0.5).astype(np.float32), (item.weight > 0).astype(np.float32)
    return replace(item, target=target * weight, weight=weight)


def question_pieces(encoder: TextEncoder, question: str) -> IntArray:
    """Pieces of a question, cut to what a window gives it."""
    return encoder.encode(question).ids[: windows.QUESTION_PIECES]


def sample_windows(items: Sequence[Item], rng: np.random.Generator, positives: int, negatives: int) -> list[Item]:
    """At most so many relevant and irrelevant windows of a long text, in order."""
    chosen: list[int] = []
    for wanted, count in ((True, positives), (False, negatives)):
        numbers = [number for number, item in enumerate(items) if item.relevance is wanted]
        chosen += [int(n) for n in rng.permutation(numbers)[:count]]
    return [items[number] for number in sorted(chosen)]
