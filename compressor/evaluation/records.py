"""Reads the evaluation and training records: one JSON object per line, gzipped."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from moosproxy.compressor.errors import CompressorError

Record = dict[str, Any]


def data_directory(option: Path | None) -> Path:
    """The folder with train/ and eval/: the option, else MOOS_DATA, else ./data. Raises if there is none."""
    directory = option or Path(os.environ.get("MOOS_DATA", "data"))
    if not directory.is_dir():
        raise CompressorError(f"no data at {directory}: give --data DIR or set MOOS_DATA")
    return directory


def read(data: Path, name: str, limit: int | None = None) -> Iterator[Record]:
    """Records of `name` ("eval/squad_dev") in file order, at most `limit`. Raises CompressorError."""
    path = data / f"{name}.jsonl.gz"
    try:
        with gzip.open(path, "rb") as lines:
            for number, line in enumerate(lines):
                if limit is not None and number >= limit:
                    return
                yield orjson.loads(line)
    except (OSError, EOFError, orjson.JSONDecodeError) as fault:
        raise CompressorError(f"cannot read {path}: {fault}") from fault
