"""Whether a model and its compressors can be loaded together, asked of their files: no weights are loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from moosproxy.compressor.soft.config import SoftConfig
from moosproxy.compressor.soft.errors import BaseMismatch, SoftError
from moosproxy.compressor.soft.models import checkpoint
from moosproxy.compressor.soft.models.base import FAMILIES, load_tokenizer
from moosproxy.compressor.soft.weights import gguf, prints
from moosproxy.compressor.soft.weights.loading import directory, state_folder
from moosproxy.compressor.soft.weights.words import words_print


def faults(
    model: Path, compressors: Iterable[Path], state: Path | None = None, *, convert: bool = True
) -> list[str]:
    """One line for each fault. convert: whether a GGUF file is dequantised for it, which may take minutes.

    Where it is not, and was not before, its compressors are not compared.
    """
    try:
        folder = _folder(model, state, convert=convert)
        methods = [config.method for config in configs(compressors)]
        if twice := sorted({method for method in methods if methods.count(method) > 1}):
            return [f"{', '.join(twice)} has more than one compressor: keep one a method"]
        if folder is None or not any(folder.glob("*.safetensors")):
            return []  # not to be told without loading it
        print_, words = prints.peek(folder), words_print(load_tokenizer(folder))
    except (SoftError, OSError, ValueError) as fault:
        return [str(fault).splitlines()[0]]
    return [said for each in compressors if (said := _mismatch(each, folder.name, print_, words))]


def configs(compressors: Iterable[Path]) -> list[SoftConfig]:
    """What the compressors were trained for. Raises SoftError."""
    return [SoftConfig.from_json(checkpoint.about(each)["config"]) for each in compressors]


def _folder(model: Path, state: Path | None, *, convert: bool) -> Path | None:
    if model.suffix.lower() != ".gguf":
        _check_family(model)
        return model
    if convert:
        return directory(model, state)
    gguf.check(model)
    folder = gguf.kept(model, state or state_folder())
    return folder if folder.is_dir() else None


def _check_family(folder: Path) -> None:
    found = prints.configuration(folder).get("model_type")
    if found not in FAMILIES:
        raise BaseMismatch(f"{folder} is a {found} model; soft compression reads {' and '.join(FAMILIES)} models")


def _mismatch(folder: Path, name: str, fingerprint: str, words: str) -> str | None:
    try:
        checkpoint.fits(folder, name, fingerprint, words)
        checkpoint.stored(folder)
    except SoftError as fault:
        return str(fault).splitlines()[0]
    return None
