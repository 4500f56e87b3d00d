"""Answers on real text: behind the template's head, timed, beside hard compression and memory of another text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from moosproxy.compressor.soft.config import SoftConfig
from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.evaluation import evaluate as evaluation
from moosproxy.compressor.soft.evaluation import real
from moosproxy.compressor.soft.evaluation.answering import Asked, answers, holds
from moosproxy.compressor.soft.evaluation.evaluate import FOREIGN, FULL, HARD, NONE, TEXT, Bench, Cell, Results
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.checkpoint import build, save
from moosproxy.compressor.soft.models.reading import Piece, Reading
from tests.compressor.soft.conftest import ids

BEFORE = (5, 6, 7)
QUESTIONS = [
    Asked(tuple(ids(1, 12, seed)[0].tolist()), (9, 10 + seed), "gold", BEFORE, words="what is it")
    for seed in range(3)
]


def whole(contexts: Tensor) -> Sequence[Piece]:
    return [contexts]


def said(tokens: list[int]) -> str:
    return " ".join(map(str, tokens))


def greedy(base: FrozenModel, prompt: list[int], longest: int) -> str:
    """Token by token, the whole prompt read anew each time."""
    base.config.eos_token_id = None
    found: list[int] = []
    for _ in range(longest):
        states = Reading(base).read([torch.tensor([[*prompt, *found]])])
        found.append(int(base.head(states[:, -1]).argmax()))
    return said(found)


@pytest.mark.parametrize("batch", [1, 8])
def test_answers_come_behind_the_head_of_the_template(base: FrozenModel, batch: int) -> None:
    expected = [greedy(base, [*BEFORE, *each.context, *each.question], 4) for each in QUESTIONS]
    found = answers(base, QUESTIONS, whole, said, batch=batch, longest=4)

    assert expected == [each.text for each in found]
    layers, heads, width, read = 3, 2, 8, len(BEFORE) + 12 + 2
    assert 2 * layers * heads * width * 4 * read * min(batch, 3) == found[0].held
    assert all(each.seconds > 0 for each in found)


def test_a_long_answer_holds_a_short_reference() -> None:
    assert [1.0, 0.0] == [holds(answer, "the Iron") for answer in ("It is made of iron, we read.", "Of irony.")]


def test_an_answer_ends_at_any_of_the_tokens_that_end_one(base: FrozenModel) -> None:
    first = int(greedy(base, [*BEFORE, *QUESTIONS[0].context, *QUESTIONS[0].question], 1))
    base.config.eos_token_id = [96, first]

    assert "" == answers(base, QUESTIONS[:1], whole, said, longest=4)[0].text


class Tokenizer:
    """Numbers as words."""

    def decode(self, tokens: Sequence[int]) -> str:
        return " ".join(map(str, tokens))


@pytest.fixture
def measured(base: FrozenModel, tmp_path: Path) -> Results:
    base.config.eos_token_id = 1
    torch.manual_seed(0)
    compressor = build(base, SoftConfig("sac", (4,), chunk=16, rank=4, alpha=8))
    training = {"seed": 0, "steps": 20, "tokens": 64, "asked": 4, "lr": 0.001, "muon": 0.0}
    save(compressor, tmp_path / "sac", training)
    lines = [
        {"step": step, "held": {"4": {"loss": loss, "right": 0.25}}}
        for step, loss in ((0, 4.0), (10, 3.5), (20, 3.0))
    ]
    lines[0]["bounds"] = {"full": {"loss": 1.0, "right": 0.75}, "none": {"loss": 3.5, "right": 0.25}}
    (tmp_path / "sac" / "steps.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    results = Results(tmp_path / "results.json")
    results.facts["base"] = {"name": "tiny", "parameters": 1000, "fingerprint": "ab"}
    results.facts |= {"questions": 3, "length": 12}
    evaluation.run(
        Bench(base, Tokenizer(), {TEXT: QUESTIONS}), [tmp_path / "sac"], [4], results, lambda line: None
    )
    return Results(tmp_path / "results.json")


def test_real_text_is_asked_with_memory_of_another_text_too(measured: Results) -> None:
    cells = {cell.method: cell for cell in measured.cells.values()}

    assert {FULL, NONE, "sac at 4x alone", "sac at 4x alone" + FOREIGN} == cells.keys()
    assert cells[NONE].held < cells["sac at 4x alone"].held < cells[FULL].held
    assert all(3 == len(cell.seconds) for cell in cells.values())
    assert 4.0 == cells["sac at 4x alone"].realised


def test_the_question_goes_with_another_context_there() -> None:
    turned = evaluation._rotated(QUESTIONS)

    assert [each.question for each in QUESTIONS] == [each.question for each in turned]
    assert [QUESTIONS[2].context, QUESTIONS[0].context, QUESTIONS[1].context] == [each.context for each in turned]


def test_the_section_about_a_real_model_is_put_into_the_page(measured: Results, tmp_path: Path) -> None:
    page = tmp_path / "results-soft.md"
    page.write_text("# Results\n\nfirst\n\n## A real model\n\nformer\n")
    measured.add(
        Cell(TEXT, HARD, 4, 0, 4.2, [1.0, 0.0, 1.0], [1.0, 0.5, 1.0], [0.1, 0.2, 0.3], 5e5, [1.0, 0.0, 1.0])
    )
    full = measured.cells[TEXT, FULL, 1, 0]
    measured.add(replace(full, exact=[1.0, 1.0, 1.0], f1=[1.0, 1.0, 1.0]))
    real.write(tmp_path, tmp_path, "A remark.")
    text = page.read_text()

    assert text.startswith("# Results\n\nfirst\n\n## A real model\n")
    assert "former" not in text
    assert "A remark." in text
    assert "| full context | 1.0 | 100.0 [100.0, 100.0] | 100.0 [100.0, 100.0] |" in text
    assert "| hard compression, question known | 4.2 | 66.7" in text
    assert "| SAC, at 4x alone, memory of another text | 4.0 |" in text
    assert "points of F1 over hard compression with the question -83.3 [" in text
    assert "- hard compression, question known, at 4x, over no context: F1 83.3 [" in text
    assert "- SAC, at 4x alone, 4x, has 0.0 [0.0, 0.0] of the full context's F1 (target: at least 60)" in text
    assert "| 20 | 3.00 / 25% |" in text
    assert "fell by 0.50 a doubling" in text
    assert "after 4.0 doublings more, 320 steps" in text
    assert real.kept(page) == text[text.index("## A real model") :]


def test_without_results_or_a_page_there_is_no_section(measured: Results, tmp_path: Path) -> None:
    with pytest.raises(SoftError, match="run `moos eval soft run` first"):
        real.write(tmp_path / "none", tmp_path)
    with pytest.raises(SoftError, match="run `moos eval soft report` first"):
        real.write(tmp_path, tmp_path)
