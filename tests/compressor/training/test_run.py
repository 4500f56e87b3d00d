"""Training, resuming and the whole recipe, with a tiny encoder."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from moosproxy.compressor.commands.train import train as train_command
from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training import base, heldout, recipe
from moosproxy.compressor.training.config import TrainConfig
from moosproxy.compressor.training.data import mixture
from moosproxy.compressor.training.data.collate import collate
from moosproxy.compressor.training.data.items import Item
from moosproxy.compressor.training.train import Trainer, losses, similarity_by_layer
from tests.compressor.training.conftest import TINY, records


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with question answering only; the other files are empty."""
    for name in mixture.FILES:
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in (records() if name == "qa_spans" else []))
    return tmp_path


def _trainer(start: Path, encoder: TextEncoder, made: list[Item], config: TrainConfig = TINY) -> Trainer:
    return Trainer(base.load(start, dropout=config.dropout, seed=config.seed), encoder, made, config)


def _weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def _same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, right[name]) for name, value in left.items())


def test_padding_changes_no_loss(start: Path, encoder: TextEncoder, made: list[Item]) -> None:
    model = base.load(start, dropout=0.0, seed=1).eval()
    short = min(made, key=lambda item: len(item.ids))
    alone = collate([short], encoder.pad)
    wide = collate([short, max(made, key=lambda item: len(item.ids))], encoder.pad)
    wide = type(wide)(*(getattr(wide, name)[:1] for name in wide.__dataclass_fields__))

    assert losses(model, wide, TINY).total.item() == pytest.approx(
        losses(model, alone, TINY).total.item(), abs=5e-3
    )


def test_beta_zero_is_bit_identical_to_plain_cross_entropy(
    start: Path, encoder: TextEncoder, made: list[Item]
) -> None:
    model = base.load(start, dropout=0.0, seed=1)
    batch = collate(made[:4], encoder.pad)
    plain = losses(model, batch, replace(TINY, beta=0.0))
    weighed = losses(model, batch, replace(TINY, beta=0.5))

    assert plain.similarity is None
    assert torch.equal(plain.total, plain.ce + TINY.relevance_weight * plain.relevance)
    assert torch.equal(weighed.ce, plain.ce)
    assert not torch.equal(weighed.total, plain.total)


def test_the_rate_rises_then_falls_to_zero() -> None:
    rates = [TINY.rate(step, 100) for step in range(101)]

    assert max(rates) == pytest.approx(TINY.lr)
    assert rates.index(max(rates)) <= 6
    assert rates[-1] == 0
    assert rates[6:] == sorted(rates[6:], reverse=True)


def test_it_overfits_a_handful_of_examples(start: Path, encoder: TextEncoder, made: list[Item]) -> None:
    few = [item for item in made if item.relevance is not None][:4] * 20
    trainer = _trainer(start, encoder, few)
    batch = collate(few[:4], encoder.pad)
    before = losses(trainer.model, batch, TINY)
    trainer.run(None)
    after = losses(trainer.model, batch, TINY)

    assert after.ce.item() < 0.7 * before.ce.item()
    assert after.relevance.item() < 0.5 * before.relevance.item()


def test_a_resumed_run_ends_with_the_same_weights(
    start: Path, encoder: TextEncoder, made: list[Item], tmp_path: Path
) -> None:
    config = replace(TINY, dropout=0.1)
    whole = _trainer(start, encoder, made, config)
    whole.run(None)
    first = _trainer(start, encoder, made, config)
    first.run(tmp_path, until=5)
    torch.manual_seed(999)
    second = _trainer(start, encoder, made, config)

    assert second.resume(tmp_path)
    assert second.step == 5
    second.run(tmp_path)
    assert _same(_weights(whole), _weights(second))
    assert whole.tokens == second.tokens


def test_a_state_of_another_configuration_is_refused(
    start: Path, encoder: TextEncoder, made: list[Item], tmp_path: Path
) -> None:
    trainer = _trainer(start, encoder, made)
    trainer.run(tmp_path, until=4)

    with pytest.raises(ValueError, match="another configuration"):
        _trainer(start, encoder, made, replace(TINY, beta=0.5)).resume(tmp_path)
    assert not _trainer(start, encoder, made).resume(tmp_path / "empty")


def test_the_seed_decides_the_weights(start: Path, encoder: TextEncoder, made: list[Item]) -> None:
    runs = []
    for seed in (7, 7, 8):
        trainer = _trainer(start, encoder, made, replace(TINY, seed=seed))
        trainer.run(None, until=3)
        runs.append(_weights(trainer))

    assert _same(runs[0], runs[1])
    assert not _same(runs[0], runs[2])


def test_similarity_by_layer_covers_embeddings_and_layers(
    start: Path, encoder: TextEncoder, made: list[Item]
) -> None:
    model = base.load(start, dropout=0.0, seed=1)

    assert len(similarity_by_layer(model, encoder, made)) == 3
    assert similarity_by_layer(model, encoder, []) == []


def test_held_out_figures_reach_the_top_when_scores_are_the_labels(encoder: TextEncoder) -> None:
    cases = heldout.build_cases({"qa_spans": records(), "meetings": []}, encoder, 7)
    case = cases.aware[0]

    assert heldout.intact(case, case.targets.target, 2.0)
    assert not heldout.intact(case, -case.targets.target, 2.0)
    assert len(cases.piles[0].prepared.tagged.text) > 5 * len(case.prepared.tagged.text)


@pytest.mark.slow
def test_the_command_trains_writes_a_checkpoint_and_is_reproducible(
    start: Path, data: Path, tmp_path: Path
) -> None:
    told = []
    for run in ("one", "two"):
        config = replace(TINY, tokens=3000)
        told.append(recipe.run(data, tmp_path / run / "out", tmp_path / run, config, start))

    one, two = (load_file(tmp_path / run / "out" / "model.safetensors") for run in ("one", "two"))
    assert _same(one, two)
    assert told[0]["held_out"]["aware_intact"] == told[1]["held_out"]["aware_intact"]
    manifest = json.loads((tmp_path / "one" / "out" / "moos.json").read_text())
    assert manifest["steps"] > 0
    assert manifest["config"]["seed"] == TINY.seed
    assert len(manifest["layer_similarity_after"]) == 3
    assert (tmp_path / "one" / "hf" / "config.json").is_file()


def test_missing_data_is_one_clear_line(tmp_path: Path, start: Path) -> None:
    outcome = CliRunner().invoke(
        train_command, ["--data", str(tmp_path), "--base", str(start), "--run", str(tmp_path / "run")]
    )

    assert outcome.exit_code == 2
    assert "qa_spans.jsonl.gz is missing" in outcome.output


@pytest.mark.slow
def test_the_second_run_of_a_recipe_starts_from_the_first_and_finished_runs_are_not_repeated(
    start: Path, data: Path, tmp_path: Path
) -> None:
    configs = [replace(TINY, tokens=1500), replace(TINY, tokens=1000, seed=8)]
    told = recipe.run_all(data, tmp_path / "out", tmp_path / "run", configs, start)
    said: list[str] = []
    again = recipe.run_all(data, tmp_path / "out", tmp_path / "run", configs, start, say=said.append)

    assert told["before"]["config"]["tokens"] == 1500
    assert told["layer_similarity_before"] == told["before"]["layer_similarity_after"]
    assert not any(line.startswith("run 1 of 2") for line in said)
    assert again["held_out"] == told["held_out"]
