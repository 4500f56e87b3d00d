"""The llmslim package, which runs offline, as a method: sentences by TF-IDF against the question."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Sequence

from moosproxy.compressor.evaluation.measures.critical import sentences
from moosproxy.compressor.evaluation.measures.item import Shortened
from moosproxy.compressor.evaluation.methods import SEARCH_STEPS, TOLERANCE, Method
from moosproxy.compressor.kept import KeptSpans, Span
from moosproxy.compressor.text.encoding import TextEncoder

_SPACE = re.compile(r"\s+")


def installed() -> bool:
    """Whether the package is there: it is no dependency of ours."""
    return importlib.util.find_spec("llmslim") is not None


class Llmslim(Method):
    """Its extractive strategy, asked for other shares until the text has the wanted one in encoder pieces."""

    name = "llmslim"
    aware = True

    def __init__(self, encoder: TextEncoder):
        from llmslim import ContextCompressor

        self._encoder, self._compressor = encoder, ContextCompressor()
        self.version = f"llmslim {importlib.metadata.version('llmslim')} {encoder.encode('llmslim').ids.tolist()}"

    def shorten(self, text: str, question: str | None, ratios: Sequence[float]) -> list[Shortened]:
        total = self._pieces(text)
        return [self._search(text, question, total, total / ratio) for ratio in ratios]

    def _search(self, text: str, question: str | None, total: int, budget: float) -> Shortened:
        share = budget / max(total, 1)
        best: Shortened | None = None
        for _ in range(SEARCH_STEPS):
            found = self._compressor.compress(text, target_ratio=share, query=question).compressed_text
            candidate = Shortened(KeptSpans(tuple(spans_of(found, text))), found, self._pieces(found), total)
            if best is None or abs(candidate.pieces - budget) < abs(best.pieces - budget):
                best = candidate
            if abs(best.pieces - budget) <= max(TOLERANCE * budget, 1):
                break
            share = min(max(share * budget / max(candidate.pieces, 1), 0.001), 1.0)
        assert best is not None
        return best

    def _pieces(self, text: str) -> int:
        return int(self._encoder.encode(text).word_costs.sum())


def spans_of(shortened: str, text: str) -> list[Span]:
    """Where the sentences of a shortened text stand in the original; one that was changed is nowhere."""
    found: list[Span] = []
    for start, end in sentences(shortened):
        words = (re.escape(word) for word in _SPACE.split(shortened[start:end].strip()))
        pattern = re.compile(r"\s+".join(words))
        floor = found[-1][1] if found else 0
        hit = pattern.search(text, floor) or pattern.search(text)
        if hit and hit.end() > hit.start():
            found.append(hit.span())
    return _merged(found)


def _merged(found: list[Span]) -> list[Span]:
    out: list[Span] = []
    for start, end in sorted(found):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
