"""A model whose layers are elsewhere: conversations become input embeddings, as a vLLM server takes them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.compressor.soft.models.reading import Piece
from moosproxy.compressor.soft.weights.embedder import load_embedder
from moosproxy.compressor.soft.weights.fitting import configs
from moosproxy.policies.fields.soft import HfModel, wire_fault
from moosproxy.proxy.upstreams.local.faults import ModelFault, too_long
from moosproxy.proxy.upstreams.transformers.composers import composer
from moosproxy.proxy.upstreams.transformers.prompt import Job, Prompt


@dataclass(frozen=True, slots=True)
class Sent:
    """What the server is sent of a prompt: `prompt` or `prompt_embeds`. room: tokens that the window has left."""

    prompt: Prompt
    fields: dict[str, Any]
    room: int


class EmbedsEngine:
    """Loads embeddings and compressors alone; everything is for one thread at a time."""

    def __init__(self, model: HfModel, state: Path | None = None) -> None:
        """Raises ModelFault where something cannot be loaded, or compresses into other things than embeddings."""
        try:
            for config in configs(model.compressors):
                if fault := wire_fault(config.method, "prompt_embeds"):
                    raise SoftError(fault)
            base, tokenizer = load_embedder(model.path, model.dtype, model.device, state)
            self._composer = composer(model, base, tokenizer)
        except SoftError as fault:
            raise ModelFault("file", str(fault)) from None
        self._base = base
        limit = getattr(base.config, "max_position_embeddings", model.context)
        self._window = min(model.context, int(limit))

    def count(self, message: dict[str, Any]) -> int:
        """Tokens of the prompt where nothing of it becomes soft memory. Raises ModelFault."""
        return self._composer.count(message)

    @torch.inference_mode()
    def compose(self, job: Job) -> Sent | None:
        """The prompt as the server takes it; None where the job was stopped. Raises ModelFault."""
        prompt = self._composer.compose(job)
        if job.stop.is_set():
            return None
        if prompt.positions >= self._window:
            raise too_long(prompt.positions, self._window)
        room = self._window - prompt.positions
        if not prompt.vectors:
            return Sent(prompt, {"prompt": prompt.ids}, room)
        vectors = torch.cat([self._embedded(piece) for piece in prompt.pieces], dim=1)[0]
        return Sent(prompt, {"prompt_embeds": wire_form(vectors)}, room)

    def _embedded(self, piece: Piece) -> Tensor:
        if isinstance(piece, Memory):
            assert piece.embeddings is not None
            return piece.embeddings
        return piece if piece.is_floating_point() else self._base.embed(piece)


def wire_form(vectors: Tensor) -> str:
    """(positions, width) vectors as vLLM reads them: a tensor as torch.save writes it, in base64."""
    written = io.BytesIO()
    torch.save(vectors.detach().cpu().contiguous().clone(), written)
    return base64.b64encode(written.getvalue()).decode("ascii")
