"""What a GGUF file says about itself, read without llama.cpp: enough to tell how much memory it takes."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from moosproxy.proxy.upstreams.local.faults import ModelFault

_SIZES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST = 1 << 28
_OVERHEAD = 160 * 1024 * 1024
"""Of the process: Python, numpy, llama.cpp, its scratch space for one batch."""
_FIRST_PART = re.compile(r"(.*)-00001-of-(\d{5})\.gguf", re.DOTALL)
_HALF = 2  # bytes of a number in the window


@dataclass(frozen=True, slots=True)
class GgufFile:
    """trained: the window that the model was trained with. bytes_per_token: of the window's memory.

    embeds: it has embeddings, which are made in a window of their own.
    """

    path: Path
    size: int
    architecture: str
    trained: int
    bytes_per_token: int
    embeds: bool = False

    def memory(self, context: int, conversations: int) -> tuple[int, int]:
        """Bytes for the weights with what the process takes, and for the windows."""
        window = self.bytes_per_token * min(context, self.trained)
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
        with path.open("rb") as stream:
            fields = _fields(stream)
        size = sum(path.with_name(name).stat().st_size for name in parts(path.name))
    except FileNotFoundError as fault:
        raise ModelFault("file", f"there is no model file {fault.filename}; see the upstream's models") from None
    except OSError as fault:
        raise ModelFault("file", f"the model file {path} cannot be read: {fault.strerror}") from None
    except (ValueError, struct.error, EOFError, UnicodeDecodeError) as fault:
        raise ModelFault("file", f"{path} is damaged or no GGUF file ({fault}); fetch it again") from None
    try:
        return _described(path, size, fields)
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


def _fields(stream: BinaryIO) -> dict[str, Any]:
    """The single values of the head; arrays, such as the vocabulary, are passed over."""
    if stream.read(4) != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    version, _, count = _unpack(stream, "IQQ")
    if version not in (2, 3):
        raise ValueError(f"version {version}")
    fields = {}
    for _ in range(count):
        key = _text(stream)
        (kind,) = _unpack(stream, "I")
        value = _value(stream, kind)
        if value is not None:
            fields[key] = value
    return fields


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(stream)
    if kind in _SIZES:
        return _unpack(stream, _SIZES[kind])[0]
    if kind != _ARRAY:
        raise ValueError(f"a value of kind {kind}")
    inner, count = _unpack(stream, "IQ")
    if inner in _SIZES:
        _skip(stream, struct.calcsize(_SIZES[inner]) * count)
    elif inner == _STRING:
        for _ in range(count):
            _skip(stream, _unpack(stream, "Q")[0])
    else:
        raise ValueError(f"an array of kind {inner}")
    return None


def _unpack(stream: BinaryIO, form: str) -> tuple[Any, ...]:
    size = struct.calcsize("<" + form)
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("it ends too soon")
    return struct.unpack("<" + form, data)


def _text(stream: BinaryIO) -> str:
    (size,) = _unpack(stream, "Q")
    if size > _LONGEST:
        raise ValueError("a text is too long")
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("it ends too soon")
    return data.decode("utf-8", "replace")


def _skip(stream: BinaryIO, size: int) -> None:
    if size > _LONGEST:
        raise ValueError("a value is too long")
    stream.seek(size, 1)
