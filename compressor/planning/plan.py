"""Everything about a text that is known before the model runs: words, protection, question, windows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from moosproxy.compressor import protect
from moosproxy.compressor.checkpoint import Checkpoint
from moosproxy.compressor.kept import Span
from moosproxy.compressor.planning import question, structure, windows
from moosproxy.compressor.planning.pieces import Piece, loose, planned
from moosproxy.compressor.planning.whole import orders_need_it, rows_need_it
from moosproxy.compressor.planning.windows import Window
from moosproxy.compressor.protect import ProtectedSpan
from moosproxy.compressor.settings import CompressionSettings, Kind
from moosproxy.compressor.text import templates
from moosproxy.compressor.text.encoding import Encoding, IntArray
from moosproxy.compressor.text.tokens import TokenCounter, counter_for

BoolArray = npt.NDArray[np.bool_]

# Of the words that may go, against those of the whole text, at the most: a long word is one token, a sign is too.
_CHARS_A_TOKEN = 4
# Protected runs of at least this many words are not shown to the model at all.
_SKIP_WORDS = 64
STAND_IN = "o200k_base"
"""Counts a text whose white space goes, where the model's own tokenizer is not known: pieces do not count it."""
# The kinds of spans that the caller gives.
CALLER_KINDS = frozenset({"pattern", "span"})
# The kinds that verification knows how to put back.
VERIFIED = frozenset({Kind.NUMBER, Kind.NEGATION, Kind.ID, Kind.VERSION, Kind.SEVERITY, Kind.QUOTED})


@dataclass(frozen=True)
class Plan:
    """One text, ready to be scored; all arrays are per word of `encoding`, shape (words,).

    costs: tokens of each word. forced: kept whatever the budget. marker: belongs to its line's marker.
    strength: of the break after the word. line_rarity: in [0, 1] for log-like text, else None.
    found: protected spans, all verified kinds included whether or not they are forced.
    passages: spans of the material, empty where no question shares the text with several.
    pieces: the text's blocks and their units, none where words are the unit.
    alone: nothing is cut, so the model need not run: there are no windows. Less than the settings' min_savings
        could be saved, or what is asked needs every word.
    every_word: the second of these.
    """

    text: str
    settings: CompressionSettings
    encoding: Encoding
    counter: TokenCounter | None
    costs: IntArray
    forced: BoolArray
    marker: BoolArray
    strength: npt.NDArray[np.int8]
    line_rarity: npt.NDArray[np.float64] | None
    found: Sequence[ProtectedSpan]
    question: Span | None
    question_text: str | None
    passages: Sequence[Span]
    pieces: Sequence[Piece]
    windows: Sequence[Window]
    timings: dict[str, float] = field(default_factory=dict)
    alone: bool = False
    every_word: bool = False

    @property
    def compressible(self) -> int:
        """Tokens that selection may drop."""
        return int(self.costs[~self.forced].sum())


def make(text: str, settings: CompressionSettings, spans: Sequence[Span], checkpoint: Checkpoint) -> Plan:
    """Plans one text. spans: caller-given protected spans. Linear in the length of the text."""
    clock = _Stopwatch()
    asked, asked_text, passages = _question(text, settings, checkpoint)
    pieces = planned(text, settings, asked_text) if settings.unit != "word" else ()
    ordered = settings.question != "off" and orders_need_it(
        text, asked_text, settings.asked, material=settings.material
    )
    ordered = ordered or (settings.question != "off" and rows_need_it(text, pieces, asked_text))
    alone = ordered or (bool(pieces) and loose(text, pieces) < settings.min_savings / _CHARS_A_TOKEN)
    clock.lap("blocks")
    encoding = checkpoint.encoder.encode(text)
    starts, ends = encoding.word_starts, encoding.word_ends
    clock.lap("tokenise")
    found = [] if alone else protect.find(text, settings.protect | VERIFIED, settings.patterns, spans)
    forcing = settings.protect | CALLER_KINDS
    forced_spans = [(span.start, span.end) for span in found if span.kind in forcing]
    if asked is not None:
        forced_spans.append(asked)
    forced = structure.covered(forced_spans, starts, ends)
    clock.lap("protect")
    strength = windows.breaks(text, starts, ends)
    for passage in passages:
        last = int(np.searchsorted(starts, passage[1])) - 1
        if last >= 0:
            strength[last] = windows.PASSAGE_END
    asked_pieces = checkpoint.encoder.encode(asked_text).ids if asked_text else None
    unread = _long_runs(_unread(pieces, starts, ends) if pieces else forced)
    limit = windows.text_limit(asked_pieces, checkpoint.encoder)
    ranges = [] if alone else windows.cut(encoding, strength, unread, limit)
    reading = settings.outlier if settings.alpha < 1 else None
    built = windows.build(checkpoint.encoder, encoding, ranges, asked_pieces, reading)
    clock.lap("windows")
    counter = counter_for(settings.tokenizer)
    if counter is None and any(piece.drops for piece in pieces):
        counter = counter_for(STAND_IN)
    costs = encoding.word_costs if counter is None else counter.word_costs(text, encoding)
    clock.lap("count")
    return Plan(
        text=text,
        settings=settings,
        encoding=encoding,
        counter=counter,
        costs=costs,
        forced=forced,
        marker=structure.markers(text, starts, ends) & ~forced,
        strength=strength,
        line_rarity=None if pieces else _rarity(text, starts, strength),
        found=found,
        question=asked,
        question_text=asked_text,
        passages=passages,
        pieces=pieces,
        windows=built,
        timings=clock.laps,
        alone=alone,
        every_word=ordered,
    )


def _question(
    text: str, settings: CompressionSettings, checkpoint: Checkpoint
) -> tuple[Span | None, str | None, Sequence[Span]]:
    """Where the question stands in the text (if it does), its words, and the passages it is about."""
    if not checkpoint.question_aware:
        return None, None, ()
    span = question.find(text) if settings.question == "auto" and not settings.material else None
    if span is not None:
        return span, text[span[0] : span[1]], question.passages(text)
    given = settings.asked if settings.question in ("auto", "off") else settings.question
    return None, given, question.passages(text) if given else ()


def _unread(pieces: Sequence[Piece], starts: IntArray, ends: IntArray) -> BoolArray:
    """Words whose scores nobody needs, shape (words,): those of units that are ranked without the model."""
    units = (unit for piece in pieces for unit in piece.units)
    read = [(unit.start, unit.end) for unit in units if unit.rank is None and not unit.must]
    return ~structure.covered(read, starts, ends)


def _long_runs(forced: BoolArray) -> BoolArray | None:
    """Words in forced runs so long that scoring them would be wasted work; None if there are none."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], forced, [False])).astype(np.int8)))
    skip = np.zeros(len(forced), bool)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start >= _SKIP_WORDS:
            skip[start:stop] = True
    return skip if skip.any() else None


def _rarity(text: str, starts: IntArray, strength: npt.NDArray[np.int8]) -> npt.NDArray[np.float64] | None:
    """How rare the template of each word's line is, for log-like text; None for any other."""
    lines = templates.find_log_lines(text)
    if not lines:
        return None
    rarity = np.asarray(templates.rarity(text), np.float64)
    begins = np.array([line[0] for line in lines])
    return rarity[np.maximum(np.searchsorted(begins, starts, side="right") - 1, 0)]


class _Stopwatch:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._at = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = now - self._at
        self._at = now
