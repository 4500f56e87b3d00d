"""Short contexts, one question each: SQuAD, XQuAD, PolicyQA, COVID-QA, CMRC, JSQuAD."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.measures.answers import survives
from moosproxy.compressor.evaluation.measures.item import Item, Shortened, Task
from moosproxy.compressor.evaluation.measures.lexicon import is_stop
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.evaluation.measures.statistics import Counts
from moosproxy.compressor.text import words


def load(data: Path, limit: int | None, *, name: str, questions: int, languages: str | None = None) -> list[Item]:
    """At most `questions` questions drawn with a fixed seed from the whole file, at most `limit`."""
    items = []
    for row in records.read(data, f"eval/{name}"):
        if languages and row["lang"] not in languages.split():
            continue
        for qa in row["qas"]:
            golds = tuple(dict.fromkeys(answer["text"] for answer in qa["answers"]))
            spans = [(a["start"], a["start"] + len(a["text"])) for a in qa["answers"]]
            facts = {"spans": spans, "lang": row["lang"]}
            items.append(Item(row["id"], row["context"], qa["question"], golds, facts))
    count = min(len(items), questions if limit is None else min(questions, limit))
    chosen = random.Random(0).sample(range(len(items)), count)
    return [items[i] for i in sorted(chosen)]


def measure(item: Item, short: Shortened) -> Mapping[str, Counts]:
    """intact: a gold answer stands unbroken. recall: content words of the best kept gold span, by offset."""
    survival = Survival(short.kept)
    recall = max((_recall(item.text, span, survival) for span in item.facts["spans"]), default=0.0)
    counts = {"intact": (survives(item.golds, short.text), 1.0), "recall": (recall, 1.0)}
    if "lang" in item.facts:
        counts[f"intact {item.facts['lang']}"] = counts["intact"]
    return counts


def _recall(text: str, span: tuple[int, int], survival: Survival) -> float:
    starts, ends = words.find(text[span[0] : span[1]])
    spans = [(span[0] + int(s), span[0] + int(e)) for s, e in zip(starts, ends, strict=True)]
    content = [s for s in spans if not is_stop(text[s[0] : s[1]])] or spans
    whole, total = survival.count(content)
    return whole / total if total else 1.0


def _task(
    name: str, what: str, headline: str, questions: int, judged: bool = False, languages: str | None = None
) -> Task:
    return Task(
        name=name,
        what=what,
        headline=headline,
        load=functools.partial(load, name=name, questions=questions, languages=languages),
        measure=measure,
        judged=judged,
    )


TASKS = (
    _task("squad_dev", "answers on Wikipedia paragraphs (SQuAD 1.1 dev)", "f1", 500, judged=True),
    _task("policyqa_test", "answers in website privacy policies (PolicyQA)", "f1", 150, judged=True),
    _task("covidqa_long", "evidence in full biomedical papers (COVID-QA)", "recall", 50),
    _task("xquad", "answers in six languages (XQuAD)", "intact", 360),
    _task("cmrc2018", "answers in Chinese paragraphs (CMRC 2018)", "intact", 100),
    _task("jsquad", "answers in Japanese paragraphs (JSQuAD)", "intact", 100),
)
