"""A model's fingerprint from its files alone, so that a wrong compressor shows before anything is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.models.base import fingerprint


@dataclass(frozen=True, slots=True)
class Stored:
    """A weight on disk."""

    file: Path
    name: str
    shape: tuple[int, ...]

    @property
    def numel(self) -> int:
        return prod(self.shape)

    def read(self) -> Tensor:
        """The file is mapped: what nobody looks at is not read."""
        with safe_open(self.file, "pt") as opened:
            tensor: Tensor = opened.get_tensor(self.name)
            return tensor


def stored(folder: Path) -> list[Stored]:
    """The weights of a directory. Raises OSError, ValueError."""
    found = []
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, "pt") as opened:
                shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in list(opened.keys())}
            found += [Stored(file, name, shape) for name, shape in shapes.items()]
        except SafetensorError as fault:
            raise ValueError(f"{file.name}: {fault}") from None
    return found


def configuration(folder: Path) -> dict[str, Any]:
    """config.json. Raises SoftError where there is none."""
    try:
        value: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise SoftError(f"{folder} holds no causal language model in Hugging Face form: {fault}") from None
    return value


def peek(folder: Path) -> str:
    """The fingerprint that the model will have once it is loaded. Raises SoftError."""
    config = configuration(folder)
    try:
        tensors = stored(folder)
    except (OSError, ValueError) as fault:
        raise SoftError(f"{folder} holds weights that cannot be read: {fault}") from None
    if not tensors:
        raise SoftError(f"{folder} holds no weights as safetensors")
    tied = config.get("tie_word_embeddings", False)
    kept = [each for each in tensors if not (tied and each.name == "lm_head.weight")]
    return fingerprint(_Unloaded(config, kept))  # type: ignore[arg-type]


class _Unloaded:
    """As much of a model as its fingerprint looks at."""

    def __init__(self, config: dict[str, Any], tensors: list[Stored]) -> None:
        self.config = SimpleNamespace(**config)
        self._tensors = tensors

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        return [(each.name, each.read()) for each in self._tensors]
