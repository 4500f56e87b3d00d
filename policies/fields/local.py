"""Models that run on this machine: which file, how large a window, how much memory. Values only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from moosproxy.policies.fields.strict import Count, Positive, Seconds, Strict

Text = Annotated[str, Field(min_length=1)]


class GgufModel(Strict):
    """A model file for llama.cpp, as an upstream describes it under the model's name."""

    path: Path | None = None
    """The GGUF file; a relative path counts from the working directory."""
    repo: Text | None = None
    """Instead of `path`: a Hugging Face repository, with `file`; fetched once, then found in the hub's cache."""
    file: Text | None = None
    """The GGUF file's name in `repo`."""
    context: Annotated[Positive, Field(ge=256)] = 8192
    """Tokens of the window, prompt and answer together; never more than the model was trained with."""
    conversations: Annotated[Positive, Field(le=16)] = 1
    """Conversations whose evaluated prompt stays in memory, so that a next turn pays for what is new only."""
    threads: Count = 0
    """Threads that write the answer; 0 takes half of the cores, so that a busy neighbour does no harm."""
    batch_threads: Count = 0
    """Threads that read the prompt; 0 takes all cores."""

    @model_validator(mode="after")
    def _names_one_file(self) -> Self:
        if (self.path is None) == (self.repo is None) or (self.repo is None) != (self.file is None):
            raise ValueError("needs either a path, or a repo and a file")
        return self


class LocalLimits(Strict):
    """What the models of one upstream may take together."""

    max_memory_mb: Positive | None = None
    """Megabytes for weights and windows of all models loaded at once; null for three quarters of the machine's."""
    idle_s: Seconds = 900.0
    """Seconds after which a model that nobody asks is unloaded."""
    max_waiting: Count = 16
    """Requests that may wait for one model; beyond that they are answered with 429."""
    answer_tokens: Positive = 512
    """Tokens of the window kept free for the answer where the request does not say how long it may be."""
