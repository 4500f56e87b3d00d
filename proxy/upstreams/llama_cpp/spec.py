"""What a model's process is started with."""

from __future__ import annotations

import os
from dataclasses import dataclass

from moosproxy.policies.fields.local import GgufModel


@dataclass(frozen=True, slots=True)
class Spec:
    """As in policies.fields.local.GgufModel, with nothing left to choose."""

    path: str
    context: int
    conversations: int
    threads: int
    batch_threads: int


def spec_of(model: GgufModel, path: str) -> Spec:
    """All cores read the prompt, half of them write the answer.

    Writing waits for memory more than for arithmetic, and its threads meet after every operation: a core that a
    neighbour wants as well holds all of them up.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = model.threads or max(1, cores // 2)
    return Spec(path, model.context, model.conversations, threads, model.batch_threads or cores)
