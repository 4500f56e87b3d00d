"""The annotated records on disk, and which of them are held out.

A record file is `<name>.jsonl.gz` in the data directory; docs of the data set describe the fields.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]

FILES = (
    "qa_spans",
    "qa_spans_multilingual",
    "meetings",
    "long_evidence",
    "extractive_sentences",
    "sentence_compression_open",
    "unlabeled_agent_text",
)


def read(data: Path, name: str) -> Iterator[Record]:
    """Records of one file, in order. Raises FileNotFoundError naming the file."""
    path = data / f"{name}.jsonl.gz"
    if not path.is_file():
        raise FileNotFoundError(f"training data: {path} is missing")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def title(record: Record) -> str:
    """What a record belongs to: records of one title are never split between training and held-out."""
    return str(record.get("title") or record["id"])


def held_out(record: Record, share: float, seed: int) -> bool:
    """Whether a record's title belongs to the held-out slice: decided by a hash, so it never changes."""
    digest = hashlib.sha256(f"{seed}:{title(record)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
