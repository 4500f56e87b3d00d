"""Ways to shorten, all at the same number of tokens of the model that answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.evaluation import methods, slim
from moosproxy.compressor.evaluation.methods import Method
from moosproxy.compressor.settings import CompressionSettings

FULL, NOTHING = "full text", "nothing"
_GRIDS = (
    (0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.12, 1.25, 1.5, 2.0),
    (0.9, 0.94, 0.97, 0.985, 1.015, 1.03, 1.06, 1.1),
    (0.99, 0.995, 1.005, 1.01),
)
"""Shares of the ratio that is meant which are asked for, then finer ones around the best."""
_NEAR = 0.99
_OVER = 1.01
"""A text may be so much longer than its budget: no method hits a number of tokens exactly."""


@dataclass(frozen=True)
class Fitted:
    """A shortened text and its tokens, in the vocabulary of the model that answers."""

    text: str
    tokens: int
    before: int


class Fitter:
    """Shortens so that a model counts so many tokens."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count

    def fit(self, method: Method, text: str, question: str | None, ratio: float) -> Fitted:
        """A text of the budget, as exactly as loose words allow. Of what stays or goes whole the nearest, a little
        above as often as below; where a method cannot reach the budget, the tokens say so."""
        before = self._count(text)
        budget = before / ratio * _OVER
        tried: list[tuple[Fitted, float]] = []
        asked = ratio
        for grid in _GRIDS:
            ratios = [max(1.0001, asked * share) for share in grid]
            shorts = method.shorten(text, question, ratios)
            tried += [
                (Fitted(short.text, self._count(short.text), before), share)
                for short, share in zip(shorts, ratios, strict=True)
            ]
            within, asked = min(tried, key=lambda one: _badness(one[0].tokens, budget))
            if _NEAR * budget <= within.tokens <= budget:
                return within
        return min((one for one, _ in tried), key=lambda one: abs(one.tokens - budget))


def _badness(tokens: int, budget: float) -> tuple[bool, float]:
    """Within budget is better than above it, then the nearer is."""
    return tokens > budget, abs(tokens - budget)


class Adjusted(methods.Ours):
    """The default policy with other settings."""

    def __init__(self, scorer: methods.Scorer, label: str, **changed: object) -> None:
        super().__init__(scorer, aware=True)
        self._settings = replace(self._settings, **changed)  # type: ignore[arg-type]
        self.name = f"{self.name}, {label}"
        self.version = f"{self.version} {self._settings.digest()}"


def chosen(
    data: Path, compressor: Compressor, rival: Compressor | None, plain: Compressor | None, names: Sequence[str]
) -> list[Method]:
    """The methods that have one of the names, or whose name begins so where none has it; all for none.

    rival: a checkpoint of the LLMLingua-2 recipe. plain: one trained with beta 0.
    """
    encoder = compressor.checkpoint.encoder
    scorer = methods.Scorer(compressor)
    found: list[Method] = [
        methods.RandomWords(encoder),
        methods.HeadAndTail(encoder),
        methods.LexicalSentences(encoder),
    ]
    if slim.installed():
        found.append(slim.Llmslim(encoder))
    if rival:
        found.append(methods.Rival(methods.Scorer(rival), forced=True))
    modes = (False, True) if compressor.checkpoint.question_aware else (False,)
    for words in (True, False):
        found += [methods.Ours(scorer, aware=aware, words=words) for aware in modes]
    alpha = CompressionSettings(ratio=2).alpha
    found += [Adjusted(scorer, f"alpha {value:g}", alpha=value) for value in (1.0, 0.7) if value != alpha]
    if plain:
        found.append(Adjusted(methods.Scorer(plain), "beta 0"))
    whole = {method.name for method in found} & set(names)
    begun = tuple(name for name in names if name not in whole)
    return [method for method in found if not names or method.name in whole or method.name.startswith(begun)]
