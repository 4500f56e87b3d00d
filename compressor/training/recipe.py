"""From a data directory to a checkpoint directory: the whole recipe behind `moos train`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from moosproxy.compressor.evaluation.judging import train_reader
from moosproxy.compressor.evaluation.judging.reader import Reader
from moosproxy.compressor.hardware import keep_freed_memory
from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training import base, end_to_end, heldout
from moosproxy.compressor.training.config import TrainConfig
from moosproxy.compressor.training.data import mixture
from moosproxy.compressor.training.data.labels import EvidenceValues
from moosproxy.compressor.training.end_to_end import AnswerTrainer
from moosproxy.compressor.training.sealing import export
from moosproxy.compressor.training.train import Report, Trainer, facts, similarity_by_layer

Say = Callable[[str], None]
HF_FOLDER, FACTS = "hf", "facts.json"


def run(
    data: Path,
    out: Path | None,
    folder: Path,
    config: TrainConfig,
    start: Path | None = None,
    reader: Path | None = None,
    *,
    report: Report = lambda progress: None,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Trains and writes: its state and the model in Hugging Face form to `folder`, the checkpoint to `out`.

    A run that was interrupted goes on where its folder says. Returns the facts that moos.json holds.
    """
    keep_freed_memory()
    directory = start or base.packaged()
    encoder = TextEncoder.from_file(directory / "tokenizer.json")
    say(f"reading {data}")
    slices = mixture.load(data, config.held_out, config.split_seed)
    streams = mixture.Streams(slices.train, encoder, config.seed, EvidenceValues(*config.evidence))
    items = mixture.collect(streams, mixture.NAMED[config.mixture], round((1 - sum(config.asked)) * config.tokens))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = base.load(directory, dropout=config.dropout, seed=config.seed)
    if any(config.asked):
        texts = end_to_end.collect(streams, config.asked, config.tokens)
        say(f"{len(texts)} texts for the reader in {reader}")
        network = Reader.load(_given(reader), torch.float32).network
        trainer: Trainer = AnswerTrainer(model, encoder, items, config, device, reader=network, texts=texts)
    else:
        trainer = Trainer(model, encoder, items, config, device)
    told = trained(trainer, slices, folder, report=report, say=say)
    told["question_aware"] = config.mixture != "rival"
    told["before"] = earlier_facts(directory)
    save(trainer.model, directory / "tokenizer.json", folder / HF_FOLDER, told)
    if out is not None:
        say(f"fingerprint {export.write(trainer.model, directory / 'tokenizer.json', out, told)}")
    return told


def trained(trainer: Trainer, slices: mixture.Slices, folder: Path, *, report: Report, say: Say) -> dict[str, Any]:
    """Trains to the end, from where the folder stopped; what moos.json tells of it, held-out figures too."""
    encoder, seed = trainer.encoder, trainer.config.split_seed
    probe = mixture.collect(mixture.Streams(slices.held_out, encoder, seed), mixture.QUESTIONS, 12_000)
    before = similarity_by_layer(trainer.model, encoder, probe)
    say(f"{len(trainer.items)} inputs in {trainer.steps} steps on {trainer.device}; S by layer before: {before}")
    if trainer.resume(folder):
        say(f"going on from step {trainer.step}")
    trainer.run(folder, report)
    after = similarity_by_layer(trainer.model, encoder, probe)
    say(f"S by layer after: {after}")
    told = facts(trainer, {name: len(rows) for name, rows in slices.train.items()}, before, after)
    told["held_out"] = heldout.evaluate(
        trainer.model, encoder, heldout.build_cases(slices.held_out, encoder, seed)
    )
    return told


def run_all(
    data: Path,
    out: Path | None,
    folder: Path,
    configs: Sequence[TrainConfig],
    start: Path | None = None,
    reader: Path | None = None,
    *,
    report: Report = lambda progress: None,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Runs one after the other, each from the weights of the one before; the last one writes the checkpoint.

    Every run has its own folder `1`, `2`, ...; finished ones are not repeated. reader: directory of the frozen
    reader for runs that ask one; by default it is trained first, in the folder `reader`.
    """
    told: dict[str, Any] = {}
    for number, config in enumerate(configs, 1):
        last = number == len(configs)
        own = folder / str(number)
        if last or not (own / HF_FOLDER / FACTS).is_file():
            say(f"run {number} of {len(configs)}: {config.mixture}")
            if any(config.asked) and reader is None:
                reader = _trained_reader(data, folder, config.seed, say)
            told = run(data, out if last else None, own, config, start, reader, report=report, say=say)
        start = own / HF_FOLDER
    return told


def _trained_reader(data: Path, folder: Path, seed: int, say: Say) -> Path:
    """A reader of our own, trained unless the run's folder has one. Judge with another (other seed)."""
    out = folder / "reader"
    if not (out / "model.safetensors").is_file():
        say(f"training a reader in {out}")
        train_reader.train(data.parent, base.packaged(), out, train_reader.ReaderRecipe(seed=seed))
    return out


def _given(reader: Path | None) -> Path:
    if reader is None:
        raise ValueError("a run that asks a reader needs one: --reader DIR (`moos eval train-reader`)")
    return reader


def earlier_facts(directory: Path) -> dict[str, Any] | None:
    """The facts of the run whose weights this one started from, if it was one of ours."""
    path = directory / FACTS
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def save(model: Any, tokenizer_file: Path, directory: Path, told: dict[str, Any]) -> None:
    """The model in fp32 Hugging Face form, to go on training from or to compare with."""
    directory.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(directory)
    (directory / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
    (directory / FACTS).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
