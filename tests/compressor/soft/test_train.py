"""Training: losses fall, runs resume, a seed decides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from moosproxy.compressor.soft.config import METHODS, Method, SoftConfig
from moosproxy.compressor.soft.models.base import FrozenModel, load_base
from moosproxy.compressor.soft.models.checkpoint import build
from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.models.reading import Reading
from moosproxy.compressor.soft.training import train as training
from moosproxy.compressor.soft.training.batches import IGNORED, Batch, WorldSource
from moosproxy.compressor.soft.training.journal import curve
from moosproxy.compressor.soft.training.learning import autoencoding, divergence, loss_behind, loss_of
from moosproxy.compressor.soft.training.small_lm import SmallConfig
from moosproxy.compressor.soft.training.small_lm import train as train_base
from moosproxy.compressor.soft.training.train import SoftStep, SoftTraining, train
from moosproxy.compressor.soft.training.world import World
from tests.compressor.soft.conftest import ids, tiny


@pytest.mark.parametrize("method", METHODS)
def test_autoencoding_loss_falls_on_a_handful_of_texts(method: Method) -> None:
    base = tiny()
    torch.manual_seed(0)
    compressor = build(base, SoftConfig(method, (2,), chunk=16, rank=8, alpha=16))
    batch = autoencoding(ids(3, 12), 1)
    optimizer = torch.optim.AdamW(compressor.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        loss, _ = loss_of(compressor, batch, 2, "repeat")
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())

    assert losses[-1] < 0.85 * losses[0]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[FrozenModel, Any]:
    """Trained for three steps: enough for a directory in Hugging Face form."""
    folder = tmp_path_factory.mktemp("small")
    train_base(SmallConfig(width=32, layers=2, steps=3, tokens=256), folder, lambda step: None)
    return load_base(folder)


def run(small: tuple[FrozenModel, Any], out: Path, steps: int = 4, **changes: Any) -> list[SoftStep]:
    base, tokenizer = small
    seen: list[SoftStep] = []
    config = SoftConfig("sac", (5, 15), chunk=51, rank=4, alpha=8)
    settings = SoftTraining(**{"steps": steps, "text_steps": 2, "lengths": (51,), "tokens": 102, **changes})
    train(base, [WorldSource(tokenizer, World())], config, settings, out, seen.append)
    return seen


def test_a_seed_decides_every_step(small: tuple[FrozenModel, Any], tmp_path: Path) -> None:
    first, second, other = (run(small, tmp_path / str(n), seed=seed) for n, seed in enumerate((1, 1, 2)))

    assert [step.loss for step in first] == [step.loss for step in second]
    assert [step.loss for step in first] != [step.loss for step in other]


def test_an_interrupted_run_goes_on_to_the_same_end(small: tuple[FrozenModel, Any], tmp_path: Path) -> None:
    whole = run(small, tmp_path / "whole", every=2)

    class Interrupted(Exception):
        pass

    def stop(step: SoftStep) -> None:
        if step.step == 3:
            raise Interrupted

    base, tokenizer = small
    config = SoftConfig("sac", (5, 15), chunk=51, rank=4, alpha=8)
    settings = SoftTraining(steps=4, text_steps=2, lengths=(51,), tokens=102, every=2)
    with pytest.raises(Interrupted):
        train(base, [WorldSource(tokenizer, World())], config, settings, tmp_path / "cut", stop)
    rest = run(small, tmp_path / "cut", every=2)

    assert [step.loss for step in whole][-len(rest) :] == [step.loss for step in rest]
    assert 4 == len(rest)


def test_the_small_model_is_a_qwen2_directory_with_a_chat_template(small: tuple[FrozenModel, Any]) -> None:
    base, tokenizer = small

    assert "qwen2" == base.config.model_type
    messages = [{"role": "user", "content": "the night was calm .\nQ: the home of Uma Bell is"}]
    assert messages[0]["content"] == tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )


def test_every_step_of_a_run_is_of_a_kind_that_its_method_is_trained_on(small: tuple[FrozenModel, Any]) -> None:
    base, tokenizer = small
    sources = [WorldSource(tokenizer, World())]
    for method, first in (("sac", {"go_on"}), ("icformer", {"repeat"}), ("icae", {"go_on", "repeat"})):
        config = SoftConfig(method)  # type: ignore[arg-type]
        settings = SoftTraining(text_steps=20, lengths=(51,), tokens=51)
        tasks = {training._draw(base, sources, config, settings, step)[2] for step in range(20)}

        assert first == tasks
        assert "go_on" == training._draw(base, sources, config, settings, 20)[2]


def test_every_method_learns_from_the_same_questions(small: tuple[FrozenModel, Any]) -> None:
    base, tokenizer = small
    sources = [WorldSource(tokenizer, World())]
    settings = SoftTraining(text_steps=0, lengths=(51,), tokens=51)
    drawn = [training._draw(base, sources, SoftConfig(method), settings, 3)[0].context for method in METHODS]

    assert all(torch.equal(drawn[0], each) for each in drawn)


def test_the_share_of_autoencoding_can_be_chosen(small: tuple[FrozenModel, Any]) -> None:
    base, tokenizer = small
    sources = [WorldSource(tokenizer, World())]
    for repeat, expected in ((0.0, {"go_on"}), (0.5, {"go_on", "repeat"}), (1.0, {"repeat"})):
        settings = SoftTraining(text_steps=20, lengths=(51,), tokens=51, repeat=repeat)
        for config in (SoftConfig("sac"), SoftConfig("epl")):
            assert expected == {training._draw(base, sources, config, settings, step)[2] for step in range(20)}


def test_positions_that_move_have_arrived_at_the_end(
    small: tuple[FrozenModel, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, tokenizer = small
    seen = []

    def watched(compressor: SoftCompressor, *rest: Any) -> tuple[torch.Tensor, float]:
        seen.append(compressor.moved)
        return loss_of(compressor, *rest)

    monkeypatch.setattr(training, "loss_of", watched)
    config = SoftConfig("500x", (5,), chunk=51, rank=4, alpha=8, positions="moving")
    settings = SoftTraining(steps=6, text_steps=2, lengths=(51,), tokens=102)
    made = train(base, [WorldSource(tokenizer, World())], config, settings, tmp_path, lambda step: None)

    assert [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0] == seen
    assert 1.0 == made.moved


def test_steps_are_told_with_the_loss_on_what_training_leaves_out(
    small: tuple[FrozenModel, Any], tmp_path: Path
) -> None:
    base, tokenizer = small
    config = SoftConfig("sac", (5, 15), chunk=51, rank=4, alpha=8)
    settings = SoftTraining(steps=3, text_steps=1, lengths=(51,), tokens=102, every=3)
    held = [WorldSource(tokenizer, World("held_out"))]
    train(base, [WorldSource(tokenizer, World())], config, settings, tmp_path, lambda step: None, held)
    lines = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]

    assert [0, 3, 4] == [line["step"] for line in lines]
    assert all({"5", "15"} == line["held"].keys() for line in lines)
    assert lines[1]["held"]["5"]["loss"] != lines[2]["held"]["5"]["loss"]
    assert all(0 <= line["held"]["15"]["right"] <= 1 for line in lines)
    assert [0, 3, 4] == [point[0] for point in curve(tmp_path)["curve"]]
    assert lines[0]["bounds"] == curve(tmp_path)["bounds"]
    assert lines[0]["bounds"]["full"]["loss"] != lines[0]["bounds"]["none"]["loss"]


@pytest.mark.parametrize("method", ["sac", "icformer"])
def test_a_head_read_once_for_all_rows_changes_no_loss(method: Method) -> None:
    """Nothing is learned in it, so it is read for one row and without a gradient."""
    base = tiny()
    compressor = build(base, SoftConfig(method, (2,), chunk=16, rank=8, alpha=16))
    batch = Batch(ids(3, 12), ids(3, 5, 2), ids(3, 5, 3), before=ids(1, 4, 4))
    loss, _ = loss_of(compressor, batch, 2, "go_on")
    loss.backward()  # type: ignore[no-untyped-call]
    alone = []
    for row in range(3):
        one = replace(batch, context=batch.context[row : row + 1], tail=batch.tail[row : row + 1])
        pieces = [ids(1, 4, 4), compressor.compress(one.context, 2), compressor.marker("go_on"), one.tail]
        states = Reading(base).read(pieces)[:, -6:-1]
        alone.append(functional.cross_entropy(base.head(states)[0], batch.labels[row]))

    assert torch.allclose(loss, torch.stack(alone).mean(), atol=1e-5)
    assert any(each.grad is not None and each.grad.abs().sum() > 0 for each in compressor.parameters())


def test_behind_no_text_the_first_token_of_a_tail_is_not_asked() -> None:
    base = tiny()
    tail = ids(2, 6)
    batch = Batch(ids(2, 12), tail, tail)
    expected = functional.cross_entropy(
        base.head(Reading(base).read([tail])[:, :-1]).flatten(0, 1), tail[:, 1:].flatten()
    )

    assert torch.allclose(expected, loss_behind(base, batch, [])[0], atol=1e-5)


def test_what_memory_loses_of_the_text_is_none_behind_the_text_itself() -> None:
    base = tiny()
    tail = ids(2, 5)
    batch = Batch(ids(2, 12), tail, tail)
    whole, other = (Reading(base).read([context, tail])[:, -6:-1] for context in (batch.context, ids(2, 12, 9)))

    assert divergence(base, whole, whole, batch).item() == pytest.approx(0.0, abs=1e-6)
    assert divergence(base, other, whole, batch).item() > 0


def test_what_stands_behind_the_last_answer_is_padding_and_teaches_nothing() -> None:
    base = tiny()
    labels = torch.tensor([[IGNORED, 5, IGNORED, IGNORED], [IGNORED, IGNORED, IGNORED, 7]])
    batch = Batch(ids(2, 12), ids(2, 4), labels)
    states, whole = (Reading(base).read([ids(2, 16, seed)])[:, -5:-1] for seed in (3, 4))
    loss = divergence(base, states, whole, batch)
    changed = states.clone()
    changed[0, 2:] += 1

    assert torch.equal(loss, divergence(base, changed, whole, batch))
    changed[1, 3] += 1
    assert not torch.equal(loss, divergence(base, changed, whole, batch))


def test_memory_that_is_distilled_comes_nearer_to_the_text() -> None:
    base = tiny()
    torch.manual_seed(0)
    compressor = build(base, SoftConfig("sac", (2,), chunk=16, rank=8, alpha=16))
    batch = Batch(ids(3, 12), ids(3, 6, 5), ids(3, 6, 5))
    optimizer = torch.optim.AdamW(compressor.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        loss, _ = loss_of(compressor, batch, 2, "go_on", 1.0)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())

    assert losses[-1] < 0.8 * losses[0]
