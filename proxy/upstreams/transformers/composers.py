"""A model's compressors and its store of memory, opened as the policies describe them."""

from __future__ import annotations

from typing import Any

from moosproxy.compressor.soft.models import checkpoint
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.policies.fields.soft import HfModel
from moosproxy.proxy.upstreams.transformers.prompt import Composer
from moosproxy.proxy.upstreams.transformers.store import MemoryStore


def composer(model: HfModel, base: FrozenModel, tokenizer: Any) -> Composer:
    """Raises SoftError where a compressor is damaged or belongs to another model."""
    made = [(folder, checkpoint.load(folder, base)) for folder in model.compressors]
    return Composer(
        base,
        tokenizer,
        {each.config.method: each for _, each in made},
        {each.config.method: checkpoint.digest(folder) for folder, each in made},
        MemoryStore(model.memory_mb << 20, model.memory_dir, model.memory_dir_mb << 20),
        model.max_part_tokens,
    )
