"""What compression costs at several shapes of language models: counted arithmetic, and time where it can run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import torch

from moosproxy.compressor.soft.config import Method, SoftConfig
from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.evaluation.cost import COUNTED, SHAPES, Shape
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.checkpoint import build
from moosproxy.compressor.soft.weights.loading import load

_CHUNK = 512
_METHODS: Final[tuple[Method, ...]] = ("icformer", "icae")
# The first warms up: what it takes is the arithmetic's own room, whatever the length.
_LONG: Final = (4096, 8192, 32_768)
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """What `moos eval soft cost` was asked for."""

    out: Path
    base: Path | None
    shapes: tuple[str, ...]
    lengths: tuple[int, ...]
    up_to: int
    ratio: int
    device: str


def measure(choice: Choice, say: Callable[[str], None]) -> None:
    """Writes cost.json: operations by shape, method and length, and seconds at the shapes that were run."""
    unknown = sorted(set(choice.shapes) - set(SHAPES))
    if unknown:
        raise SoftError(f"no shape {', '.join(unknown)}: choose of {', '.join(SHAPES)}")
    about: dict[str, Any] = {"ratio": choice.ratio, "device": choice.device, "threads": torch.get_num_threads()}
    shapes = dict(SHAPES)
    runnable: dict[str, Callable[[], FrozenModel]] = {
        name: partial(_random, SHAPES[name], choice.device) for name in choice.shapes
    }
    if choice.base is not None:
        small = load(choice.base, "float32", choice.device)[0]
        if sys.platform != "win32":
            # First of all: a peak that larger shapes have left would hide what this takes.
            about["long"] = _long(small, choice.ratio, say)
        shapes = {small.name: Shape.of(small.config), **shapes}
        runnable = {small.name: lambda: small, **runnable}
    counted = {
        name: {
            method: {str(length): count(shape, length, choice.ratio) for length in choice.lengths}
            for method, count in COUNTED.items()
        }
        for name, shape in shapes.items()
    }
    measured = {}
    for name, made in runnable.items():
        lengths = [length for length in choice.lengths if name not in SHAPES or length <= choice.up_to]
        measured[name] = _times(made(), name, lengths, choice.ratio, say)
    choice.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**about, "counted": counted, "measured": measured}, indent=1)
    (choice.out / "cost.json").write_text(text + "\n", encoding="utf-8")


def _random(shape: Shape, device: str) -> FrozenModel:
    """A model of a shape with random weights: time does not depend on their values."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        # The output layer takes no part in compression, and the table is looked up only.
        vocab_size=1024,
    )
    return FrozenModel(Qwen2ForCausalLM(config).to(device), "random")


@torch.inference_mode()
def _times(
    base: FrozenModel, shape: str, lengths: list[int], ratio: int, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Seconds of each method at each length: the best of three alternating rounds."""
    methods = {
        name: build(base, SoftConfig(name, (ratio,), _CHUNK, rank=min(128, base.width // 4), alpha=256))
        for name in _METHODS
    }
    times: dict[str, dict[str, float]] = {name: {} for name in methods}
    for length in lengths:
        ids = torch.randint(0, 1000, (1, length), device=base.device) % base.config.vocab_size
        for _ in range(_ROUNDS):
            for name, compressor in methods.items():
                seconds = _seconds(partial(compressor.compress, ids, ratio), base)
                times[name][str(length)] = min(seconds, times[name].get(str(length), seconds))
        shown = ", ".join(f"{name} {1000 * each[str(length)]:.1f} ms" for name, each in times.items())
        say(f"{shape}, {length} tokens: {shown}")
    return times


@torch.inference_mode()
def _long(base: FrozenModel, ratio: int, say: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Contexts of chunks upon chunks, by method and length: seconds, and MiB by which the process's peak grew."""
    found: dict[str, dict[str, float]] = {}
    for name in _METHODS:
        compressor = build(base, SoftConfig(name, (ratio,), _CHUNK, rank=min(128, base.width // 4), alpha=256))
        for length in _LONG:
            ids = torch.randint(0, 1000, (1, length), device=base.device) % base.config.vocab_size
            before = _peak()
            seconds = _seconds(partial(compressor.compress, ids, ratio), base)
            found[f"{name} {length}"] = {"seconds": seconds, "grown": _peak() - before}
            say(f"{name}, {length} tokens: {seconds:.2f} s, {_peak() - before:.0f} MiB more at the peak")
    return found


def _peak() -> float:
    """The most memory that the process ever held, in MiB."""
    import resource  # not on Windows, where this command has no long contexts to show

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _seconds(work: Callable[[], Any], base: FrozenModel) -> float:
    if base.device.type == "cpu":
        # With one thread, CPU time is what an idle machine would take, whoever else is at work.
        clock = process_time if torch.get_num_threads() == 1 else perf_counter
        began = clock()
        work()
        return clock() - began
    torch.cuda.synchronize(base.device)
    began = perf_counter()
    work()
    torch.cuda.synchronize(base.device)
    return perf_counter() - began
