"""A user's own texts and questions, answered from the full and from the shortened text side by side. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Answerer, Prompt, Question, Reply, prompt
from moosproxy.compressor.evaluation.answers.lines import Lines
from moosproxy.compressor.evaluation.answers.same import same
from moosproxy.compressor.evaluation.measures import statistics
from moosproxy.compressor.evaluation.measures.answers import f1
from moosproxy.compressor.evaluation.measures.statistics import Estimate
from moosproxy.compressor.evaluation.mine.own import OwnText
from moosproxy.compressor.result import CompressionResult
from moosproxy.compressor.settings import CompressionSettings

ANSWER_TOKENS = 64
WORST = 10


@dataclass(frozen=True)
class Compared:
    """One question. full, short: what was answered. before, after: tokens of the two prompts, as the model counts.

    kept: whether the shorter text gave the answer that it should: the right one, else the full text's.
    near: token F1 with that answer, in [0, 1].
    """

    own: OwnText
    result: CompressionResult
    full: str
    short: str
    before: int
    after: int
    kept: bool
    near: float


@dataclass(frozen=True)
class Summary:
    """judge: its name. compared: every question that could be asked both ways.

    right: of those with a known answer, how many the full text gives right, and of how many; None for none known.
    left: questions that do not fit into the judge's window. price: money per million input tokens, None for none.
    """

    judge: str
    compared: Sequence[Compared]
    right: tuple[int, int] | None
    left: int
    price: float | None

    @property
    def kept(self) -> Estimate:
        """The share of answers kept, with its interval over texts."""
        sums: dict[str, list[statistics.Counts]] = {}
        for one in self.compared:
            sums.setdefault(one.own.text, []).append((float(one.kept), 1.0))
        return statistics.share(statistics.by_group(sums, list(sums)))

    @property
    def tokens(self) -> tuple[int, int]:
        """Of all prompts, full and shortened."""
        return sum(one.before for one in self.compared), sum(one.after for one in self.compared)

    @property
    def money(self) -> tuple[float, float] | None:
        """What the prompts cost, full and shortened."""
        if self.price is None:
            return None
        before, after = self.tokens
        return before * self.price / 1e6, after * self.price / 1e6

    @property
    def worst(self) -> list[Compared]:
        """The answers that shortening changed the most: lost ones first, then the least alike."""
        order = sorted(self.compared, key=lambda one: (one.kept, one.near))
        return [one for one in order if not one.kept or one.near < 1][:WORST]

    def lines(self) -> list[str]:
        """For the terminal."""
        before, after = self.tokens
        kept = self.kept
        out = [
            f"{len(self.compared)} questions, answered by {self.judge}",
            f"answers kept: {100 * kept.value:.1f}% [{100 * kept.low:.1f}, {100 * kept.high:.1f}]",
            f"tokens: {before} -> {after}, {before / max(after, 1):.2f}x",
        ]
        if self.right is not None:
            out.insert(1, f"right from the full text: {self.right[0]} of {self.right[1]} with a known answer")
        if self.money is not None:
            out.append(f"cost: {self.money[0]:.6g} -> {self.money[1]:.6g} at {self.price:g} a million")
        if self.left:
            out.append(f"{self.left} questions left out: the text does not fit into the judge's window")
        return out


def compare(
    texts: Sequence[OwnText],
    compressor: Compressor,
    settings: CompressionSettings,
    judge: Answerer,
    lines: Lines,
    *,
    told: bool = True,
    price: float | None = None,
    step: Callable[[], None] = lambda: None,
) -> Summary:
    """Asks every question of both texts. texts: each with a question. told: the compressor is shown it.

    Raises CompressorError where the model is gone, or nothing could be asked.
    """
    results = [compressor.compress(one.text, _settings(settings, one, told=told)) for one in texts]
    pairs = [
        (_prompt(one, one.text), _prompt(one, result.text)) for one, result in zip(texts, results, strict=True)
    ]
    _ask([one for pair in pairs for one in pair], judge, lines, step)
    compared, golden = [], []
    for own, result, (whole, shorter) in zip(texts, results, pairs, strict=True):
        full, short = lines.get(whole), lines.get(shorter)
        if full is None or short is None:
            continue
        compared.append(_compared(own, result, full, short))
        if own.answer:
            golden.append(same(full.answer, [own.answer]))
    if not compared:
        raise CompressorError("no text fits into the judge's window; give a larger --window, or shorter texts")
    right = (sum(golden), len(golden)) if golden else None
    return Summary(judge.name, compared, right, len(texts) - len(compared), price)


def _settings(settings: CompressionSettings, own: OwnText, *, told: bool) -> CompressionSettings:
    return replace(settings, question=own.question if told and own.question else "off")


def _compared(own: OwnText, result: CompressionResult, full: Reply, short: Reply) -> Compared:
    """The right answer counts where it is known and the full text gives it; else the full text's."""
    wanted = [own.answer] if own.answer and same(full.answer, [own.answer]) else [full.answer]
    return Compared(
        own,
        result,
        full.answer,
        short.answer,
        full.tokens,
        short.tokens,
        same(short.answer, wanted),
        f1(short.answer, [full.answer]),
    )


def _prompt(own: OwnText, text: str) -> Prompt:
    ask = f"Question: {own.question}\nAnswer:"
    golds = (own.answer,) if own.answer else ()
    return prompt(Question(own.name, 0, own.name, text, own.question, ask, golds, tokens=ANSWER_TOKENS), text)


def _ask(prompts: Sequence[Prompt], judge: Answerer, lines: Lines, step: Callable[[], None]) -> None:
    missing = [one for one in dict.fromkeys(prompts) if lines.get(one) is None]

    def done(index: int, reply: Reply | None) -> None:
        if reply is not None:
            lines.put(missing[index], reply)
        step()

    judge.answers(missing, done)
