"""Ways to shorten a text, all at the same realised budget in encoder pieces of the whole text."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.evaluation.measures.critical import sentences
from moosproxy.compressor.evaluation.measures.item import Shortened
from moosproxy.compressor.evaluation.measures.lexicon import DocumentFrequencies, is_stop
from moosproxy.compressor.kept import KeptSpans
from moosproxy.compressor.planning.plan import Plan
from moosproxy.compressor.planning.windows import Window, breaks, cut
from moosproxy.compressor.scoring.metric import WindowScores, piece_metric, word_means
from moosproxy.compressor.selection import ranking
from moosproxy.compressor.selection.relevance import bm25
from moosproxy.compressor.settings import CompressionSettings, OutlierReading
from moosproxy.compressor.text.encoding import Encoding, TextEncoder

BoolArray = npt.NDArray[np.bool_]
ScoreArray = npt.NDArray[np.float64]

# Half a word more or less decides nothing; a search for the exact ratio stops within this share of the budget.
TOLERANCE = 0.01
SEARCH_STEPS = 5
# Windows whose scores are remembered, about 2 kB each.
REMEMBERED_WINDOWS = 50_000
# The rival's windows, as in the paper: 512 with the two special tokens.
RIVAL_PIECES = 510
RIVAL_FORCED = frozenset(".?!")
WORDS = ", words"
"""Ends the name of a method that selects single words."""


class Method(ABC):
    """One way to shorten. `version` names everything that decides the outcome besides the text: a cache key."""

    name: str
    aware = False
    version: str

    @abstractmethod
    def shorten(self, text: str, question: str | None, ratios: Sequence[float]) -> list[Shortened]:
        """The text at each ratio (original pieces / kept pieces). question: only for methods with `aware`."""


class WordMethod(Method):
    """A method that scores words and keeps the best until the budget is spent. edition: of its scores."""

    edition = 1

    def __init__(self, encoder: TextEncoder):
        self.encoder = encoder
        self.version = f"{self.name} {self.edition}"

    @abstractmethod
    def scores(self, text: str, encoding: Encoding, question: str | None) -> ScoreArray:
        """Larger is kept first, shape (words,)."""

    def shorten(self, text: str, question: str | None, ratios: Sequence[float]) -> list[Shortened]:
        encoding = self.encoder.encode(text)
        score = self.scores(text, encoding, question)
        costs, nothing = encoding.word_costs, np.zeros(len(score), bool)
        total = int(costs.sum())
        return [
            shortened(text, encoding, ranking.select(score, costs, nothing, total / ratio)) for ratio in ratios
        ]


def shortened(text: str, encoding: Encoding, kept: BoolArray) -> Shortened:
    """The outcome of keeping these words."""
    spans = KeptSpans(ranking.spans_of(kept, encoding.word_starts, encoding.word_ends))
    costs = encoding.word_costs
    return Shortened(spans, spans.apply(text), int(costs[kept].sum()), int(costs.sum()))


class RandomWords(WordMethod):
    """The floor: words at random, the same ones for the same text."""

    name = "random words"

    def scores(self, text: str, encoding: Encoding, question: str | None) -> ScoreArray:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return np.random.default_rng(seed).random(len(encoding.word_starts))


class HeadAndTail(WordMethod):
    """The beginning and the end, half of the budget each."""

    name = "head and tail"

    def scores(self, text: str, encoding: Encoding, question: str | None) -> ScoreArray:
        count = len(encoding.word_starts)
        place = np.arange(count, dtype=np.float64)
        return -np.minimum(place, count - 1 - place)


class IdfPruning(WordMethod):
    """Stop words go first, then the words that most texts hold."""

    name = "stop words and IDF"

    def __init__(self, encoder: TextEncoder, frequencies: DocumentFrequencies):
        super().__init__(encoder)
        self.frequencies = frequencies

    def scores(self, text: str, encoding: Encoding, question: str | None) -> ScoreArray:
        spans = zip(encoding.word_starts, encoding.word_ends, strict=True)
        found = [text[start:end] for start, end in spans]
        return np.array([self.frequencies.idf(word) - 100.0 * is_stop(word) for word in found], np.float64)


class LexicalSentences(WordMethod):
    """The question-aware floor: whole sentences by BM25 against the question, the last one in part."""

    name = "BM25 sentences"
    edition = 2
    aware = True

    def scores(self, text: str, encoding: Encoding, question: str | None) -> ScoreArray:
        spans = list(sentences(text))
        rank = bm25(question or "", [text[start:end] for start, end in spans])
        owner = np.searchsorted([start for start, _ in spans], encoding.word_starts, side="right") - 1
        order = np.argsort(np.argsort(-rank, kind="stable"), kind="stable").astype(np.float64)
        return -order[np.maximum(owner, 0)] - np.linspace(0, 0.5, len(owner))


class Scorer:
    """A compressor that remembers scores of windows it has seen: variants of a method share most of them."""

    def __init__(self, compressor: Compressor):
        self.compressor = compressor
        self._known: OrderedDict[tuple[bytes, OutlierReading | None], WindowScores] = OrderedDict()

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """As Compressor.score."""
        missing = [window for window in windows if _key(window) not in self._known]
        for window, scores in zip(missing, self.compressor.score(missing), strict=True):
            self._known[_key(window)] = scores
        found = [replace(self._known[_key(w)], start=w.start, stop=w.stop) for w in windows]
        while len(self._known) > REMEMBERED_WINDOWS:
            self._known.popitem(last=False)
        return found


def _key(window: Window) -> tuple[bytes, OutlierReading | None]:
    return window.ids.tobytes(), window.reading


class Rival(Method):
    """The LLMLingua-2 recipe: classifier alone, and in each window of 510 pieces the words above its percentile.

    forced: sentence marks and words with a digit stay, as in the published settings; line breaks are free here.
    """

    def __init__(self, scorer: Scorer, *, forced: bool):
        self.name = "LLMLingua-2 recipe" if forced else "LLMLingua-2 recipe, nothing forced"
        self.version = f"{self.name} 1 {scorer.compressor.fingerprint}"
        self.scorer, self.forced = scorer, forced
        self._settings = CompressionSettings(ratio=2, alpha=1, protect=frozenset(), question="off")

    def shorten(self, text: str, question: str | None, ratios: Sequence[float]) -> list[Shortened]:
        plan = self.scorer.compressor.plan(text, self._settings)
        encoding = plan.encoding
        pieces = piece_metric(self.scorer.score(plan.windows), len(encoding.ids), 1.0)
        score = word_means(pieces, encoding)
        if self.forced:
            found = zip(encoding.word_starts, encoding.word_ends, strict=True)
            score = score + np.array([_is_forced(text[s:e]) for s, e in found], np.float64)
        strength = breaks(text, encoding.word_starts, encoding.word_ends)
        window = np.zeros(len(encoding.ids), np.int64)
        for number, (start, stop) in enumerate(cut(encoding, strength, None, RIVAL_PIECES)):
            window[start:stop] = number
        at = np.minimum(encoding.word_pieces[0], max(len(window) - 1, 0))
        owner = window[at] if len(window) else np.zeros(len(score), np.int64)
        return [shortened(text, encoding, _by_window(score, encoding, owner, ratio)) for ratio in ratios]


def _is_forced(word: str) -> bool:
    return word[0] in RIVAL_FORCED or any(character.isdigit() for character in word)


def _by_window(score: ScoreArray, encoding: Encoding, owner: npt.NDArray[np.int64], ratio: float) -> BoolArray:
    kept = np.zeros(len(score), bool)
    for number in range(int(owner.max(initial=-1)) + 1):
        mine = np.flatnonzero(owner == number)
        costs = encoding.word_costs[mine]
        kept[mine] = ranking.select(score[mine], costs, np.zeros(len(mine), bool), costs.sum() / ratio)
    return kept


class Ours(Method):
    """The product, through its own door.

    By default as the default policy sends it: the ratio is asked for as it is, and what was reached is told.
    words: as the paper selects, single words with nothing protected, at exactly the ratio that is meant.
    """

    def __init__(self, scorer: Scorer, *, aware: bool, words: bool = False):
        mode = "question-aware" if aware else "task-agnostic"
        self.name = f"moosproxy, {mode}" + (WORDS if words else "")
        self.aware, self.scorer = aware, scorer
        settings = CompressionSettings(ratio=2, question="off")
        self._settings = replace(settings, unit="word", protect=frozenset()) if words else settings
        self._steps = SEARCH_STEPS if words else 1
        self.version = f"{self.name} {_code()} {scorer.compressor.fingerprint} {self._settings.digest()}"

    def shorten(self, text: str, question: str | None, ratios: Sequence[float]) -> list[Shortened]:
        settings = replace(self._settings, question=question) if self.aware and question else self._settings
        plan = self.scorer.compressor.plan(text, settings)
        scores = self.scorer.score(plan.windows)
        return [self._search(plan, scores, ratio) for ratio in ratios]

    def _search(self, plan: Plan, scores: Sequence[WindowScores], ratio: float) -> Shortened:
        """Asks for other ratios until the whole text has the wanted one, or cannot."""
        total = int(plan.costs.sum())
        budget, asked = total / ratio, ratio
        best: Shortened | None = None
        for _ in range(self._steps):
            settings = replace(plan.settings, ratio=asked)
            result = self.scorer.compressor.finish(replace(plan, settings=settings), scores)
            candidate = Shortened(result.kept, result.text, result.tokens_after, total)
            if best is None or _miss(candidate, budget) < _miss(best, budget):
                best = candidate
            if _miss(best, budget) <= max(TOLERANCE * budget, 1):
                break
            asked = min(max(asked * (result.tokens_after / max(budget, 1)), 1.0001), 1000.0)
        assert best is not None
        return best


@cache
def _code() -> str:
    """Hash of the product's own modules: a changed rule must not be answered from what an older one did."""
    room = Path(__file__).parent.parent
    rooms = (room / name for name in ("kinds", "planning", "protect", "scoring", "selection", "text"))
    files = sorted([*room.glob("*.py"), *(file for folder in rooms for file in folder.rglob("*.py"))])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _miss(candidate: Shortened, budget: float) -> float:
    return abs(candidate.pieces - budget)
