"""What a GGUF file says about itself, read without llama.cpp: enough to tell how much memory it takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moosproxy.compressor.text import gguf_head
from moosproxy.proxy.upstreams.local.faults import FILE_MISSING, ModelFault

_OVERHEAD = 160 * 1024 * 1024
"""Of the process: Python, numpy, llama.cpp, its scratch space for one batch."""
_FIRST_PART = re.compile(r"(.*)-00001-of-(\d{5})\.gguf", re.DOTALL)
_HALF = 2  # bytes of a number in the window
_BLOCK = 64  # bytes of 32 such numbers
_OF_HALF = {"f16": 64, "q8_0": 34}
"""Bytes that 32 numbers take."""


@dataclass(frozen=True, slots=True)
class GgufFile:
    """trained: the window that the model was trained with. bytes_per_token: of the window's memory.

    embeds: it has embeddings, which are made in a window of their own. changed: when the file was, in nanoseconds.
    """

    path: Path
    size: int
    architecture: str
    trained: int
    bytes_per_token: int
    embeds: bool = False
    changed: int = 0

    def memory(self, context: int, conversations: int, kv: str = "f16") -> tuple[int, int]:
        """Bytes for the weights with what the process takes, and for the windows. kv: as in the model's policy."""
        window = self.bytes_per_token * _OF_HALF[kv] * min(context, self.trained) // _BLOCK
        # For embeddings llama.cpp also computes logits of a whole batch, twice 78 MB with Qwen's vocabulary.
        return self.size + _OVERHEAD * (1 + self.embeds), window * (conversations + self.embeds)


def parts(name: str) -> list[str]:
    """Names of all files of a model that is named by its first one, or by its only one."""
    found = _FIRST_PART.fullmatch(name)
    if found is None:
        return [name]
    return [f"{found[1]}-{number:05}-of-{found[2]}.gguf" for number in range(1, int(found[2]) + 1)]


def read_gguf(path: Path) -> GgufFile:
    """The file's head. Raises ModelFault where it is missing, damaged or no GGUF."""
    try:
        fields = gguf_head.read(path)
        changed = path.stat().st_mtime_ns
        size = sum(path.with_name(name).stat().st_size for name in parts(path.name))
    except FileNotFoundError as fault:
        text = (
            f"there is no model file {fault.filename}; put it there, or correct the path in the upstream's models"
        )
        raise ModelFault(FILE_MISSING, text) from None
    except OSError as fault:
        raise ModelFault("file", f"the model file {path} cannot be read: {fault.strerror}") from None
    except gguf_head.FAULTS as fault:
        raise ModelFault("file", f"{path} is damaged or no GGUF file ({fault}); fetch it again") from None
    try:
        return replace(_described(path, size, fields), changed=changed)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise ModelFault("file", f"{path} does not say how large its model is; it is no language model") from None


def _described(path: Path, size: int, fields: dict[str, Any]) -> GgufFile:
    name = fields["general.architecture"]
    heads = fields[f"{name}.attention.head_count"]
    kept = fields.get(f"{name}.attention.head_count_kv", heads)
    width = fields[f"{name}.embedding_length"] // heads
    keys = fields.get(f"{name}.attention.key_length", width)
    values = fields.get(f"{name}.attention.value_length", width)
    per_token = fields[f"{name}.block_count"] * kept * (keys + values) * _HALF
    embeds = fields.get(f"{name}.pooling_type", 0) != 0
    return GgufFile(path, size, name, fields[f"{name}.context_length"], per_token, embeds)
