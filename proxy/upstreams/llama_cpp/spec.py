"""What a model's process is started with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from moosproxy.policies.fields.local import GgufModel

BATCH, _AMX_BATCH = 128, 512
"""Without AMX more tokens at once are no faster, and one operation on them could take longer than a stop may."""


@dataclass(frozen=True, slots=True)
class Spec:
    """As in policies.fields.local.GgufModel, with nothing left to choose.

    sampling: what the policy says of it, by the names of process.sampling.Sampling.
    """

    path: str
    context: int
    conversations: int
    threads: int
    batch_threads: int
    batch: int = BATCH
    ubatch: int = BATCH
    flash_attention: str = "auto"
    kv: str = "f16"
    mlock: bool = False
    embeddings: bool = False
    schemas: str = "lenient"
    sampling: dict[str, float] = field(default_factory=dict)


def spec_of(model: GgufModel, path: str) -> Spec:
    """All cores read the prompt, half of them write the answer.

    Writing waits for memory more than for arithmetic, and its threads meet after every operation: a core that a
    neighbour wants as well holds all of them up.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    batch = model.batch or max(model.ubatch, _AMX_BATCH if _has_amx() else BATCH)
    return Spec(
        path=path,
        context=model.context,
        conversations=model.conversations,
        threads=model.threads or max(1, cores // 2),
        batch_threads=model.batch_threads or cores,
        batch=batch,
        ubatch=model.ubatch or batch,
        flash_attention=model.flash_attention,
        kv=model.kv,
        mlock=model.mlock,
        embeddings=model.embeddings,
        schemas=model.schemas,
        sampling=model.sampling.model_dump(exclude_none=True),
    )


@cache
def _has_amx() -> bool:
    """Whether the processor multiplies whole tiles of eight-bit numbers, as Linux tells it."""
    try:
        return " amx_int8" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
