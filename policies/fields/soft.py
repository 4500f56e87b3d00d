"""Soft compression: what a policy asks for, and the models on this machine that can do it. Values only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from moosproxy.policies.fields.strict import Count, Positive, Strict


class Soft(Strict):
    """Long texts become a few vectors that a local model reads in their place."""

    method: Literal["sac", "icformer", "icae", "500x", "epl"] = "sac"
    """The method of the compressor; the upstream's model must have one of it."""
    ratio: Annotated[Positive, Field(le=510)] = 5
    """Tokens of a text / vectors that it becomes; one that the compressor was trained for."""
    min_tokens: Count = 512
    """Texts shorter than this many tokens stay text."""
    shorten_first: bool = False
    """Whether texts are shortened by the policy's `ratio` before what is left of them becomes memory."""


SoftWire = Literal["prompt_embeds"]


def wire_fault(method: str, wire: SoftWire | None) -> str | None:
    """Why what the method makes cannot be sent that way, with the fix; None if it can, or nothing is sent."""
    if wire is None or method == "icformer":
        return None
    keeps = "runs the whole language model" if method == "icae" else "keeps keys and values of every layer"
    return f"soft_wire {wire} sends input embeddings, and {method} {keeps}: take method icformer"


class HfModel(Strict):
    """A model directory in Hugging Face form, as an upstream describes it under the model's name."""

    path: Path
    """A directory with weights and tokenizer, or a GGUF file, which is dequantised once into the state folder."""
    served_as: Annotated[str, Field(min_length=1)] | None = None
    """With `soft_wire` the server's name of the model; null for the same name."""
    compressors: tuple[Path, ...] = ()
    """Directories of soft compressors that `moos train soft` wrote for this model, one a method."""
    context: Annotated[Positive, Field(ge=64)] = 8192
    """Positions of the window, prompt and answer together; never more than the model was made for."""
    max_part_tokens: Positive = 65_536
    """Longest text that becomes soft memory; a longer one is a failure, which `on_error` decides about."""
    device: Annotated[str, Field(min_length=1)] = "cpu"
    """Where it runs: `cpu`, `cuda`, `cuda:1`."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the weights; `auto` is the directory's own."""
    memory_mb: Count = 256
    """Megabytes of soft memory kept for texts that come again, the least recently used go first."""
    memory_dir: Path | None = None
    """Directory that keeps soft memory, which is made from prompts, over restarts; null for memory only."""
    memory_dir_mb: Positive = 4096
    """Megabytes that `memory_dir` may take."""
