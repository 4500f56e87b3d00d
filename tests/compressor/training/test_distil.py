"""A shallower encoder learns the scores of a deeper one, and can be sealed and served."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.commands.train import train as train_command
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training import base, distil
from moosproxy.compressor.training.data import mixture
from moosproxy.compressor.training.data.items import Item
from tests.compressor import tiny
from tests.compressor.training.conftest import TINY, records


def _trainer(teacher_folder: Path, encoder: TextEncoder, made: list[Item]) -> distil.DistilTrainer:
    teacher = base.load(teacher_folder, dropout=0.0, seed=1)
    with torch.no_grad():  # random layers hardly do anything: this one shall matter
        for weight in teacher.bert.encoder.layer[-1].parameters():
            weight.mul_(20 if weight.ndim > 1 else 1)
    student = distil.shallow(teacher, 1)
    return distil.DistilTrainer(student, encoder, made, replace(TINY, lr=3e-3), teacher=teacher)


def test_the_student_comes_near_the_teacher_and_the_teacher_stays(
    start: Path, encoder: TextEncoder, made: list[Item]
) -> None:
    trainer = _trainer(start, encoder, made)
    before = {name: value.clone() for name, value in trainer.teacher.state_dict().items()}
    first, _ = trainer.item_losses([0, 1, 2, 3])

    for _ in range(3):
        trainer.step = 0
        trainer.run(None)

    last, _ = trainer.item_losses([0, 1, 2, 3])
    assert last.similarity is not None and first.similarity is not None
    assert last.similarity.item() < 0.7 * first.similarity.item()
    assert all(torch.equal(value, before[name]) for name, value in trainer.teacher.state_dict().items())


def test_a_student_with_the_teachers_scores_has_nothing_to_learn(
    start: Path, encoder: TextEncoder, made: list[Item]
) -> None:
    trainer = _trainer(start, encoder, made)
    trainer.model = trainer.teacher

    found, _ = trainer.item_losses([0, 1])

    assert found.similarity is not None and found.similarity.item() == 0
    assert found.total.item() == pytest.approx((found.ce + TINY.relevance_weight * found.relevance).item())


@pytest.mark.parametrize("layers", [0, 2, 9])
def test_layers_that_the_teacher_does_not_have_are_refused(start: Path, layers: int) -> None:
    with pytest.raises(CompressorError, match="--layers must be 1 to 1"):
        distil.shallow(base.load(start, dropout=0.0, seed=1), layers)


def test_the_command_writes_a_checkpoint_that_serves(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in mixture.FILES:
        with gzip.open(data / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            rows = records() if name == "qa_spans" else []
            file.writelines(json.dumps(row) + "\n" for row in rows)
    questions = dict.fromkeys(("qa_aware", "qa_agnostic"), 0.5)
    command = ["distil", str(tiny_checkpoint), "--layers", "1", "--tokens", "3000", "--data", str(data)]
    first = [*command, "--run", str(tmp_path / "1"), "--out", str(tmp_path / "first")]
    second = [*command, "--run", str(tmp_path / "2"), "--out", str(tmp_path / "out"), "--seed", "5"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixture, "NAMED", {"distil": questions})
        for given in (first, [*second, "--start", str(tmp_path / "1" / "hf")]):
            told = CliRunner().invoke(train_command, given)
            assert told.exit_code == 0, told.output

    facts = json.loads((tmp_path / "out" / "moos.json").read_text())
    assert facts["distilled"]["layers"] == 1
    assert facts["distilled"]["before"]["config"]["seed"] != facts["config"]["seed"] == 5
    text = " ".join(tiny.WORDS[:200]) + "."
    with Compressor.load(tmp_path / "out", engine="onnxruntime", threads=1) as compressor:
        assert compressor.compress(text, CompressionSettings(ratio=2.0, unit="word")).ratio > 1.2
