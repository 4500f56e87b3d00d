"""GGUF files of the Llama and Qwen2 families, dequantised once into a directory in Hugging Face form."""

from __future__ import annotations

import hashlib
import shutil
from importlib.util import find_spec
from math import prod
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from moosproxy.compressor.soft.errors import BaseMismatch, SoftError
from moosproxy.compressor.soft.weights.memory import enough
from moosproxy.compressor.text import gguf_head

FAMILIES: Final = ("llama", "qwen2")
_ENDS_LOOKED_AT = 1 << 20
_BYTES_OF_A_WEIGHT = 2
_ROOM = 1 << 30
"""Beside them: the largest tensor in float32, Python, torch."""
_FORMAT = 1
"""Of what is kept; raised where it changes, so that nobody reads what an older version made."""


def directory(path: Path, state: Path) -> Path:
    """The model of a GGUF file as a directory below `state`, made if it is not there yet.

    Raises SoftError: another family, a damaged file, a missing package, too little memory or disk.
    """
    if find_spec("gguf") is None:
        raise SoftError("GGUF files need an extra: pip install 'moosproxy[soft]' (gguf is missing)")
    fields, tensors = check(path)
    folder = kept(path, state)
    if (folder / "config.json").is_file():
        return folder
    enough(
        _ROOM + _BYTES_OF_A_WEIGHT * sum(prod(entry.shape) for entry in tensors.entries), f"to read {path.name}"
    )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made aside and renamed: another process may want the same, and half a model must not be found.
        fresh = Path(mkdtemp(dir=folder.parent, prefix=".making-"))
        try:
            _write(path, fields, tensors, fresh)
            fresh.replace(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as fault:
        if not (folder / "config.json").is_file():
            raise SoftError(f"{folder} cannot be written: {fault.strerror or fault}") from None
    return folder


def kept(path: Path, state: Path) -> Path:
    """Where the directory of a file is, or will be."""
    return state / "bases" / f"{path.stem}-{_digest(path)}"


def check(path: Path) -> tuple[dict[str, Any], gguf_head.Tensors]:
    """The file's fields and its list of tensors. Raises SoftError where it is of another family, or not whole."""
    try:
        fields = gguf_head.read(path)
        tensors = gguf_head.tensors(path)
        size = path.stat().st_size
    except OSError as fault:
        raise SoftError(f"{path} cannot be read: {fault.strerror}") from None
    except gguf_head.FAULTS as fault:
        raise SoftError(f"{path} is cut off, damaged or no GGUF file ({fault}): fetch it again") from None
    _check_family(path, fields, tensors)
    whole = max((tensors.start + entry.offset + _bytes(entry) for entry in tensors.entries), default=0)
    if size < whole:
        raise SoftError(f"{path} is cut off ({size} of {whole} bytes): fetch it again")
    return fields, tensors


def _check_family(path: Path, fields: dict[str, Any], tensors: gguf_head.Tensors) -> None:
    family = fields.get("general.architecture")
    if family not in FAMILIES:
        known = " and ".join(FAMILIES)
        raise BaseMismatch(f"{path.name} is a {family} model; soft compression reads {known} models")
    if fields.get(f"{family}.expert_count"):
        raise BaseMismatch(f"{path.name} is a mixture of experts, which is not read")
    scaled = fields.get(f"{family}.rope.scaling.type", "none") != "none"
    if scaled or any(entry.name == "rope_freqs.weight" for entry in tensors.entries):
        text = "scales its positions, which a GGUF file tells in part: give the model's own directory"
        raise BaseMismatch(f"{path.name} {text}")


def _bytes(entry: gguf_head.Entry) -> int:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    try:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(entry.kind)]
    except (KeyError, ValueError):
        raise SoftError(f"{entry.name} is of kind {entry.kind}, which is not read: pip install -U gguf") from None
    return int(prod(entry.shape) // block * size)


def _digest(path: Path) -> str:
    """Of the file's size, its age, its beginning and its end: a file of many gigabytes is not read for it."""
    about = path.stat()
    found = hashlib.sha256(f"{_FORMAT} {about.st_size} {about.st_mtime_ns}".encode())
    with path.open("rb") as stream:
        found.update(stream.read(_ENDS_LOOKED_AT))
        stream.seek(max(0, about.st_size - _ENDS_LOOKED_AT))
        found.update(stream.read())
    return found.hexdigest()[:12]


def _write(path: Path, fields: dict[str, Any], tensors: gguf_head.Tensors, folder: Path) -> None:
    from safetensors.torch import save_file
    from transformers import GenerationConfig

    from moosproxy.compressor.soft.weights import layers, tokenizer

    config = layers.config(fields, tensors)
    words = tokenizer.read(path)
    weights = layers.weights(path, config, tensors)
    missing = layers.expected(config) ^ weights.keys()
    if missing:
        raise SoftError(f"{path.name} has too many or too few weights for its family, such as {min(missing)}")
    ends = tokenizer.ends(path) or None
    config.bos_token_id, config.eos_token_id = words.bos_token_id, words.eos_token_id
    GenerationConfig(bos_token_id=words.bos_token_id, eos_token_id=ends).save_pretrained(folder)
    words.save_pretrained(folder)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config.save_pretrained(folder)
