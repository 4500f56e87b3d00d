"""The llmlingua package, offline, as a contender: with the LLMLingua-2-small shape and with our own checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from moosproxy.compressor.checkpoint import Checkpoint
from moosproxy.compressor.text.tokens import write_cache

# llmlingua tells the tokenizer's conventions by this part of the folder's name.
_NAME = "bert-base-multilingual-cased"
_FORCED = ["\n", "?", "!", "."]


def contenders(
    checkpoint: Checkpoint, folder: Path, ratio: float, threads: int
) -> dict[str, Callable[[str], object]]:
    """Compress functions by name. Writes random weights (700 MB) and tokenizers into `folder`."""
    torch.set_num_threads(threads)
    write_cache(folder / "tiktoken")  # llmlingua counts with tiktoken, which would download
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder / "tiktoken")
    shape = BertConfig(
        vocab_size=119_547, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072
    )
    small = _save(BertForTokenClassification(shape), checkpoint, folder / f"small-{_NAME}")
    same = _save(
        BertForTokenClassification.from_pretrained(checkpoint.directory), checkpoint, folder / f"same-{_NAME}"
    )
    return {
        "llmlingua, LLMLingua-2-small shape": _compress(small, ratio),
        "llmlingua, same checkpoint": _compress(same, ratio),
    }


def _save(model: Any, checkpoint: Checkpoint, folder: Path) -> Path:
    model.float().save_pretrained(folder)
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(checkpoint.directory / "tokenizer.json"), **special)
    tokenizer.save_pretrained(folder)
    return folder


def _compress(folder: Path, ratio: float) -> Callable[[str], object]:
    from llmlingua import PromptCompressor

    compressor = PromptCompressor(model_name=str(folder), use_llmlingua2=True, device_map="cpu")
    return lambda text: compressor.compress_prompt(text, rate=1 / ratio, force_tokens=_FORCED)
