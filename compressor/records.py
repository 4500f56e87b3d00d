"""Records on disk, for training and evaluation: one JSON object a line, gzipped; and which are held out."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from moosproxy.compressor.errors import CompressorError

Record = dict[str, Any]

# The titles that `moos train` keeps away from training: their share, and the seed that picks them.
HELD_OUT, SPLIT_SEED = 0.05, 7


def data_directory(option: Path | None) -> Path:
    """The folder with train/ and eval/: the option, else MOOS_DATA, else ./data. Raises CompressorError."""
    directory = option or Path(os.environ.get("MOOS_DATA", "data"))
    if not directory.is_dir():
        raise CompressorError(f"no data at {directory}: give --data DIR or set MOOS_DATA")
    return directory


def read(data: Path, name: str, limit: int | None = None) -> Iterator[Record]:
    """Records of `name` ("eval/squad_dev") in file order, at most `limit`. Raises CompressorError."""
    path = data / f"{name}.jsonl.gz"
    if not path.is_file():
        raise CompressorError(f"{path} is missing: give --data DIR or set MOOS_DATA")
    try:
        with gzip.open(path, "rb") as lines:
            for number, line in enumerate(lines):
                if limit is not None and number >= limit:
                    return
                yield orjson.loads(line)
    except (OSError, EOFError, orjson.JSONDecodeError) as fault:
        raise CompressorError(f"cannot read {path}: {fault}") from fault


def title(record: Record) -> str:
    """What a record belongs to: records of one title are never split between training and held-out."""
    return str(record.get("title") or record["id"])


def held_out(record: Record, share: float = HELD_OUT, seed: int = SPLIT_SEED) -> bool:
    """Whether a record's title belongs to the held-out slice: decided by a hash, so it never changes."""
    digest = hashlib.sha256(f"{seed}:{title(record)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
