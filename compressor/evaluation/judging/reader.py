"""The judge: an extractive reader that answers a question from a text, compressed or not.

It never sees which words were dropped: it gets the compressed text as a string and tokenises it anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForQuestionAnswering

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.judging.gates import attend
from moosproxy.compressor.hardware import has_bf16
from moosproxy.compressor.text.encoding import TextEncoder

INPUT_PIECES = 384
QUESTION_PIECES = 48
STRIDE_PIECES = 96
ANSWER_PIECES = 40
BATCH_PIECES = 8192
# Padded widths are multiples of this: the kernels keep memory for every shape they meet.
WIDTH_STEP = 16


class SpanReader(nn.Module):
    """BertForQuestionAnswering with gates over the pieces.

    forward(input_ids, gates, token_type_ids, position_ids) -> (start logits, end logits), each (batch, pieces).

    input_ids, token_type_ids: (batch, pieces), `[CLS] question [SEP] text [SEP] [PAD]...`, types 0/1.
    gates: (batch, pieces) float; 1 = there, 0 = absent. Padding has gate 0. A piece with gate 0 is invisible to
        all others, so that with `position_ids = cumsum(gates) - 1` (the default) the logits of the remaining
        pieces equal those of the shorter text. Gates that require a gradient get the secant one (gates.py):
        pass hard 0/1 values with a straight-through estimator behind them.
    Logits at gates of 0 are meaningless: mask them before the softmax, as `log_likelihood` does.
    Piece 0, [CLS], stands for "the answer is not in this text".
    """

    def __init__(self, model: BertForQuestionAnswering):
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, gates: Tensor, token_type_ids: Tensor, position_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if position_ids is None:
            position_ids = (gates.detach().round().long().cumsum(-1) - 1).clamp(min=0)
        bert = self.model.bert
        hidden = bert.embeddings(input_ids=input_ids, token_type_ids=token_type_ids, position_ids=position_ids)
        for layer in bert.encoder.layer:
            hidden = _layer(layer, hidden, gates)
        start, end = self.model.qa_outputs(hidden).float().unbind(-1)
        return start, end


def _layer(layer: Any, hidden: Tensor, gates: Tensor) -> Tensor:
    own, batch, pieces = layer.attention.self, hidden.shape[0], hidden.shape[1]

    def heads(projection: nn.Module) -> Tensor:
        split: Tensor = projection(hidden).view(batch, pieces, own.num_attention_heads, -1)
        return split.transpose(1, 2)

    context = attend(heads(own.query), heads(own.key), heads(own.value), gates)
    context = context.transpose(1, 2).reshape(batch, pieces, -1)
    attended = layer.attention.output(context, hidden)
    out: Tensor = layer.output(layer.intermediate(attended), attended)
    return out


def log_likelihood(logits: Tensor, allowed: Tensor, target: Tensor) -> Tensor:
    """log p of the target piece among the allowed ones, shape (batch,). allowed: bool (batch, pieces)."""
    masked = logits.masked_fill(~allowed, -1e4)
    return torch.log_softmax(masked, -1).gather(-1, target[:, None])[:, 0]


@dataclass(frozen=True)
class _Input:
    """One window of one text for one question: piece ids and where its text pieces lie in the text."""

    example: int
    ids: list[int]
    head: int
    starts: list[int]
    ends: list[int]


class Reader:
    """A trained reader on disk: config.json, model.safetensors and tokenizer.json in one directory."""

    def __init__(self, network: SpanReader, encoder: TextEncoder, fingerprint: str, dtype: torch.dtype):
        self.network, self.encoder, self.fingerprint = network.eval().to(dtype), encoder, fingerprint

    @classmethod
    def load(cls, directory: Path, dtype: torch.dtype | None = None) -> Self:
        """Reads a directory that `save` wrote; dtype: bf16 by default where the processor computes in it.

        Raises CompressorError naming what is missing or damaged.
        """
        try:
            weights = (directory / "model.safetensors").read_bytes()
            config = BertConfig.from_pretrained(directory)
            network = BertForQuestionAnswering.from_pretrained(directory, config=config)
            encoder = TextEncoder.from_file(directory / "tokenizer.json")
        except Exception as fault:  # transformers and tokenizers raise a dozen different types
            raise CompressorError(f"no reader at {directory}: {fault}") from fault
        if dtype is None:
            dtype = torch.bfloat16 if has_bf16(torch.device("cpu")) else torch.float32
        return cls(SpanReader(network), encoder, hashlib.sha256(weights).hexdigest()[:16], dtype)

    def answers(
        self,
        questions: Sequence[str],
        texts: Sequence[str],
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[str]:
        """The best span of each text as a slice of it, "" for an empty text. `progress` gets finished windows."""
        inputs = [
            window
            for example, (question, text) in enumerate(zip(questions, texts, strict=True))
            for window in self._windows(example, question, text)
        ]
        best: dict[int, tuple[float, int, int]] = {}
        order = sorted(range(len(inputs)), key=lambda i: len(inputs[i].ids))
        at = 0
        while at < len(order):
            size = max(1, BATCH_PIECES // max(len(inputs[order[min(at + 64, len(order) - 1)]].ids), 1))
            batch = [inputs[i] for i in order[at : at + min(size, 128)]]
            for window, (score, first, last) in zip(batch, self._best_spans(batch), strict=True):
                if window.example not in best or score > best[window.example][0]:
                    best[window.example] = (score, window.starts[first], window.ends[last])
            at += len(batch)
            progress(len(batch))
        return [texts[i][best[i][1] : best[i][2]] if i in best else "" for i in range(len(texts))]

    def _windows(self, example: int, question: str, text: str) -> list[_Input]:
        ask = self.encoder.encode(question).ids[:QUESTION_PIECES].tolist()
        pieces = self.encoder.encode(text)
        head = [self.encoder.first, *ask, *self.encoder.pair]
        room = INPUT_PIECES - len(head) - 1
        windows = []
        for start in range(0, max(len(pieces.ids) - STRIDE_PIECES, 1), room - STRIDE_PIECES):
            part = slice(start, start + room)
            ids = pieces.ids[part].tolist()
            if ids:
                starts, ends = pieces.piece_starts[part].tolist(), pieces.piece_ends[part].tolist()
                windows.append(_Input(example, [*head, *ids, self.encoder.separator], len(head), starts, ends))
        return windows

    @torch.inference_mode()
    def _best_spans(self, batch: list[_Input]) -> list[tuple[float, int, int]]:
        width = -(-max(len(window.ids) for window in batch) // WIDTH_STEP) * WIDTH_STEP
        ids = np.full((len(batch), width), self.encoder.pad, np.int64)
        gates, types = np.zeros((len(batch), width), np.float32), np.zeros((len(batch), width), np.int64)
        for row, window in enumerate(batch):
            ids[row, : len(window.ids)] = window.ids
            gates[row, : len(window.ids)] = 1
            types[row, window.head : len(window.ids)] = 1
        start, end = self.network(torch.from_numpy(ids), torch.from_numpy(gates), torch.from_numpy(types))
        pairs = zip(batch, start.numpy(), end.numpy(), strict=True)
        return [_best_span(s, e, w.head, len(w.ids) - 1) for w, s, e in pairs]


def _best_span(
    start: np.ndarray[tuple[int], np.dtype[np.float32]],
    end: np.ndarray[tuple[int], np.dtype[np.float32]],
    head: int,
    stop: int,
) -> tuple[float, int, int]:
    """Score above "not in this text", first and last text piece, at most ANSWER_PIECES apart."""
    pieces = stop - head
    scores = start[head:stop, None] + end[None, head:stop]
    band = np.tri(pieces, pieces, ANSWER_PIECES - 1, bool) & ~np.tri(pieces, pieces, -1, bool)
    flat = int(np.where(band, scores, -np.inf).argmax())
    first, last = divmod(flat, pieces)
    return float(scores[first, last] - start[0] - end[0]), first, last


def save(network: SpanReader, tokenizer_file: Path, directory: Path) -> None:
    """Writes what Reader.load reads."""
    directory.mkdir(parents=True, exist_ok=True)
    network.model.save_pretrained(directory)
    (directory / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
