"""Every method over every task, each text shortened once and each answer judged once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from moosproxy.compressor.evaluation.judging.judges import ApiJudge, Judge
from moosproxy.compressor.evaluation.measures import answers
from moosproxy.compressor.evaluation.measures.item import Item, Shortened, Task
from moosproxy.compressor.evaluation.methods import Method
from moosproxy.compressor.evaluation.reporting.results import FULL_TEXT, REALISED, Results
from moosproxy.compressor.evaluation.reporting.store import Store
from moosproxy.compressor.evaluation.tasks import reasoning
from moosproxy.compressor.kept import KeptSpans

RATIOS = (1.5, 2.0, 3.0, 4.0, 5.0, 8.0)
OWN = "own"
SOLUTION_TOKENS = 400


@dataclass(frozen=True)
class Asked:
    """One judged answer that is still to come."""

    method: str
    ratio: str
    item: Item
    text: str


class Run:
    """One pass over tasks; results collect in `results`."""

    def __init__(self, data: Path, store: Store, judge: Judge | None, ratios: Sequence[float], limit: int | None):
        self.data, self.store, self.judge, self.ratios, self.limit = data, store, judge, tuple(ratios), limit
        self.results = Results()

    def task(self, task: Task, methods: Iterable[Method], progress: Progress) -> None:
        """Measures one task with every method that can do it."""
        items = task.load(self.data, self.limit)
        asked: list[Asked] = []
        for item in items:
            whole = Shortened(KeptSpans(((0, len(item.text)),)), item.text, 1, 1)
            self._record(task, FULL_TEXT, "1", item, whole, asked)
        for method in methods:
            if method.aware and all(item.question is None for item in items):
                continue
            bar = progress.add_task(f"{task.name}: {method.name}", total=len(items))
            for item in items:
                ratios = (float(item.facts["ratio"]),) if task.own_rate else self.ratios
                for ratio, short in zip(ratios, self._shorten(method, item, ratios), strict=True):
                    self._record(task, method.name, OWN if task.own_rate else f"{ratio:g}", item, short, asked)
                progress.advance(bar)
            self.store.commit()
            progress.remove_task(bar)
        if task.judged and self.judge:
            self._judge(task, asked, progress)
        if task.problems and isinstance(self.judge, ApiJudge):
            self._solve(task, self.judge, asked, progress)

    def _record(
        self, task: Task, method: str, ratio: str, item: Item, short: Shortened, asked: list[Asked]
    ) -> None:
        for measure, counts in task.measure(item, short).items():
            self.results.add(task.name, method, ratio, measure, item.group, counts)
        self.results.add(
            task.name, method, ratio, REALISED, item.group, (float(short.pieces_before), float(short.pieces))
        )
        if task.judged or task.problems:
            asked.append(Asked(method, ratio, item, short.text))

    def _shorten(self, method: Method, item: Item, ratios: Sequence[float]) -> list[Shortened]:
        question = item.question if method.aware else None
        key = ("shorten", method.version, item.text, question or "")
        found = [self.store.get(*key, repr(ratio)) for ratio in ratios]
        if all(value is not None for value in found):
            return [_unpack(item.text, value) for value in found if value is not None]
        made = method.shorten(item.text, question, ratios)
        for ratio, short in zip(ratios, made, strict=True):
            self.store.put(*key, repr(ratio), value=_pack(short))
        return made

    def _judge(self, task: Task, asked: list[Asked], progress: Progress) -> None:
        assert self.judge is not None
        wanted: dict[tuple[str, str], str] = {}
        missing: list[tuple[str, str]] = []
        for one in asked:
            pair = (one.item.question or "", one.text)
            if pair in wanted:
                continue
            known = self.store.get("answer", self.judge.version, *pair)
            wanted[pair] = known.decode() if known is not None else ""
            if known is None:
                missing.append(pair)
        bar = progress.add_task(f"{task.name}: {self.judge.name}", total=len(missing))
        for at in range(0, len(missing), 4096):
            part = missing[at : at + 4096]
            given = self.judge.answers(
                [question for question, _ in part],
                [text for _, text in part],
                lambda done: progress.advance(bar, done),
            )
            for pair, answer in zip(part, given, strict=True):
                wanted[pair] = answer
                self.store.put("answer", self.judge.version, *pair, value=answer.encode(errors="replace"))
            self.store.commit()
        progress.remove_task(bar)
        for one in asked:
            answer = wanted[one.item.question or "", one.text]
            for measure, score in (("f1", answers.f1), ("em", answers.exact_match)):
                counts = (score(answer, one.item.golds), 1.0)
                self.results.add(task.name, one.method, one.ratio, measure, one.item.group, counts)

    def _solve(self, task: Task, judge: ApiJudge, asked: list[Asked], progress: Progress) -> None:
        """Lets the model solve the task's problems after each shortened prompt; counts what it gets right."""
        assert task.problems is not None
        bar = progress.add_task(f"{task.name}: {judge.name}", total=None)
        for one in asked:
            problems = task.problems(self.data, one.item.group)
            prompts = [f"{one.text}\n\n{question}" for question, _ in problems]
            known = [self.store.get("solve", judge.version, prompt) for prompt in prompts]
            missing = [prompt for prompt, value in zip(prompts, known, strict=True) if value is None]
            given = iter(judge.complete(missing, SOLUTION_TOKENS, lambda done: progress.advance(bar, done)))
            for prompt, value, (_, final) in zip(prompts, known, problems, strict=True):
                reply = next(given) if value is None else value.decode()
                self.store.put("solve", judge.version, prompt, value=reply.encode(errors="replace"))
                score = (reasoning.solved(reply, final), 1.0)
                self.results.add(task.name, one.method, one.ratio, "solved", one.item.group, score)
            self.store.commit()
        progress.remove_task(bar)


def _pack(short: Shortened) -> bytes:
    return b"%d %d " % (short.pieces, short.pieces_before) + short.kept.to_bytes()


def _unpack(text: str, value: bytes) -> Shortened:
    pieces, before, spans = value.split(b" ", 2)
    kept = KeptSpans.from_bytes(spans)
    return Shortened(kept, kept.apply(text), int(pieces), int(before))
