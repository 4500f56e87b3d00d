"""Soft compressors on disk: model.safetensors and soft.json, bound to the weights that they were trained for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from moosproxy.compressor.soft.config import Method, SoftConfig
from moosproxy.compressor.soft.errors import BaseMismatch, SoftError
from moosproxy.compressor.soft.models.appended import Appended
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.icformer import IcFormer
from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.models.sac import Sac

_CLASSES: Final[dict[Method, type[SoftCompressor]]] = {
    "sac": Sac,
    "icformer": IcFormer,
    "icae": Appended,
    "500x": Appended,
    "epl": Appended,
}
_WEIGHTS, _ABOUT = "model.safetensors", "soft.json"


def build(base: FrozenModel, config: SoftConfig) -> SoftCompressor:
    """An untrained compressor for `base`."""
    return _CLASSES[config.method](base, config).to(base.device)


def save(compressor: SoftCompressor, folder: Path, training: dict[str, Any] | None = None) -> None:
    """Writes the trained parameters, the configuration and the base's name and fingerprint.

    training: how it came to be, for a reader.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().contiguous() for name, value in compressor.state_dict().items()}
    save_file(weights, folder / _WEIGHTS)
    made_for = compressor.base
    base = {"name": made_for.name, "fingerprint": made_for.fingerprint}
    if made_for.words is not None:
        base["words"] = made_for.words
    about = {"base": base, "config": compressor.config.to_json(), "training": training or {}}
    (folder / _ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def digest(folder: Path) -> str:
    """Hexadecimal SHA-256 of the weights and the configuration: part of the key of whatever they made."""
    found = hashlib.sha256((folder / _ABOUT).read_bytes())
    found.update((folder / _WEIGHTS).read_bytes())
    return found.hexdigest()


def about(folder: Path) -> dict[str, Any]:
    """soft.json; raises SoftError if there is none."""
    try:
        value: dict[str, Any] = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise SoftError(f"{folder} is not a soft compressor: {_ABOUT} cannot be read ({fault})") from None
    if not {"base", "config"} <= value.keys():
        raise SoftError(f"{folder / _ABOUT} names no base or no config: train it with `moos train soft`")
    return value


def stored_bytes(folder: Path) -> int:
    """How large the weights of a directory are."""
    return (folder / _WEIGHTS).stat().st_size


def stored(folder: Path) -> list[str]:
    """Names of the weights of a directory, none of which is loaded. Raises SoftError where they are damaged."""
    try:
        with safe_open(folder / _WEIGHTS, "pt") as opened:
            return list(opened.keys())
    except (OSError, SafetensorError) as fault:
        raise SoftError(f"{folder / _WEIGHTS} is missing or damaged: {str(fault).splitlines()[0]}") from None


def load(folder: Path, base: FrozenModel) -> SoftCompressor:
    """The compressor of a directory, for the base it was trained with; raises BaseMismatch for any other."""
    facts = check(folder, base)
    compressor = build(base, SoftConfig.from_json(facts["config"]))
    try:
        compressor.load_state_dict(load_file(folder / _WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as fault:
        raise SoftError(f"{folder / _WEIGHTS} is missing or damaged: {str(fault).splitlines()[0]}") from None
    return compressor.requires_grad_(False).eval()


def check(folder: Path, base: FrozenModel) -> dict[str, Any]:
    """soft.json of a directory; raises BaseMismatch if it belongs to another base."""
    return fits(folder, base.name, base.fingerprint, base.words)


def fits(folder: Path, name: str, fingerprint: str, words: str | None) -> dict[str, Any]:
    """The same of a base that is not loaded. words: the print of its tokenizer, None where it is not known."""
    facts = about(folder)
    trained = facts["base"]
    if trained["fingerprint"] != fingerprint:
        raise BaseMismatch(
            f"{folder.name} was trained for {trained['name']} ({trained['fingerprint']}), not for "
            f"{name} ({fingerprint}): train one for it with `moos train soft`"
        )
    known = trained.get("words")  # older ones do not say
    if known is not None and words is not None and known != words:
        raise BaseMismatch(
            f"{folder.name} was trained with another tokenizer than that of {name}: put the model's own back"
        )
    return facts
