"""A language model from wherever its weights are: a directory in Hugging Face form, or a GGUF file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.models.base import FrozenModel, load_base
from moosproxy.compressor.soft.weights import gguf
from moosproxy.compressor.soft.weights.memory import enough

_OVERHEAD = 256 << 20
_MEMORY_WORDS = ("memory", "alloc")
_WIDTHS = {"bfloat16": 2, "float16": 2}


def state_folder() -> Path:
    """Where a GGUF file's weights are kept: MOOS_STATE_DIR, else the user's cache folder."""
    given = os.environ.get("MOOS_STATE_DIR")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moosproxy"


def directory(path: Path, state: Path | None = None) -> Path:
    """The directory in Hugging Face form that `path` is, or that a GGUF file becomes once below `state`.

    Raises SoftError.
    """
    if path.suffix.lower() != ".gguf":
        return path
    return gguf.directory(path, state or state_folder())


def load(
    path: Path, dtype: str = "auto", device: str = "cpu", state: Path | None = None
) -> tuple[FrozenModel, Any]:
    """The frozen model and its tokenizer. Nothing is downloaded. Raises SoftError, in one line."""
    try:
        folder = directory(path, state)
        if device == "cpu":
            enough(_OVERHEAD + _loaded_bytes(folder, dtype), f"for the model in {path}")
        return load_base(folder, dtype, device)
    except (RuntimeError, MemoryError) as fault:
        if not isinstance(fault, MemoryError) and not any(word in str(fault) for word in _MEMORY_WORDS):
            raise
        raise SoftError(f"there is not enough memory on {device} for the model in {path}") from None


def _loaded_bytes(folder: Path, dtype: str) -> int:
    """What its weights will take; 0 where nothing is said about them, which loading tells in its own words."""
    import json

    from moosproxy.compressor.soft.weights.prints import stored

    try:
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tensors = stored(folder)
    except (OSError, ValueError):
        return 0
    wanted = said.get("dtype") or said.get("torch_dtype") if dtype == "auto" else dtype
    return sum(each.numel * _WIDTHS.get(str(wanted), 4) for each in tensors)
