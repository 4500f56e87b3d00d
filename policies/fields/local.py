"""Models that run on this machine: which file, how large a window, how much memory. Values only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from moosproxy.policies.fields.strict import Count, Positive, Seconds, Strict, not_bool

Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(not_bool)]
Temperature = Annotated[float, Field(ge=0, le=2), BeforeValidator(not_bool)]
Penalty = Annotated[float, Field(ge=0.01, le=10), BeforeValidator(not_bool)]
_LARGEST_BATCH = 4096


class SamplingDefaults(Strict):
    """How tokens are drawn where the request does not say. Null: as the model's file says."""

    temperature: Temperature | None = None
    """0 takes the likeliest token, 1 the model's own distribution; 0.8 where the file does not say."""
    top_k: Count | None = None
    """Only the likeliest so many tokens, 0 for all; 40 where the file does not say."""
    top_p: Share | None = None
    """Only the likeliest tokens that have this probability together; 0.95 where the file does not say."""
    min_p: Share | None = None
    """Only tokens that are at least this share as likely as the likeliest; 0.05 where the file does not say."""
    repetition_penalty: Penalty | None = None
    """Divides the score of tokens that have come already; 1, which does nothing, where the file does not say."""


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
    batch: Annotated[Count, Field(le=_LARGEST_BATCH)] = 0
    """Tokens given to llama.cpp at once; 0 takes 512 on processors with AMX, else 128."""
    ubatch: Annotated[Count, Field(le=_LARGEST_BATCH)] = 0
    """Tokens computed at once, at most `batch`; 0 takes the batch. More need memory, and a stop takes longer."""
    flash_attention: Literal["auto", "on", "off"] = "auto"
    """Attention without its whole matrix in memory; `auto` leaves it to llama.cpp."""
    kv: Literal["f16", "q8_0"] = "f16"
    """Numbers of the window's memory; `q8_0` takes about half, and needs flash attention."""
    mlock: bool = False
    """Whether the weights are locked in memory, so that they are never swapped out."""
    preload: bool = False
    """Whether it is loaded at start and stays, so that the first request need not wait; unready until it is."""
    schemas: Literal["lenient", "strict"] = "lenient"
    """A schema that no grammar can hold: `lenient` checks the answer afterwards; `strict` refuses."""
    embeddings: bool = False
    """Whether a chat model's file that names no pooling gives embeddings too: the mean of its last states."""
    sampling: SamplingDefaults = SamplingDefaults()
    """How tokens are drawn where the request does not say."""

    @model_validator(mode="after")
    def _names_one_file(self) -> Self:
        if (self.path is None) == (self.repo is None) or (self.repo is None) != (self.file is None):
            raise ValueError("needs either a path, or a repo and a file")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.batch and self.ubatch > self.batch:
            raise ValueError("ubatch must be at most batch")
        if self.kv != "f16" and self.flash_attention == "off":
            raise ValueError(f"kv {self.kv} needs flash attention: leave flash_attention at auto, or set it on")
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
