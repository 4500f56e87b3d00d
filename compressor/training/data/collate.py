"""Items to padded tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from moosproxy.compressor.training.data.items import Item


@dataclass(frozen=True)
class Batch:
    """ids, type_ids, mask: (B, T) int64. target, weight: (B, T) fp32, weight 0 on padding, special tokens and
    question. relevance: (B,) fp32 in {0, 1}; asked: (B,) fp32, 0 where no question was asked.
    """

    ids: Tensor
    type_ids: Tensor
    mask: Tensor
    target: Tensor
    weight: Tensor
    relevance: Tensor
    asked: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


def collate(items: Sequence[Item], pad: int) -> Batch:
    """Pads on the right."""
    shape = (len(items), max(len(item.ids) for item in items))
    ids, types, mask = np.full(shape, pad, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    target, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for row, item in enumerate(items):
        used = len(item.ids)
        ids[row, :used], types[row, :used], mask[row, :used] = item.ids, item.type_ids, 1
        target[row, :used], weight[row, :used] = item.target, item.weight
    relevance = np.array([float(item.relevance or 0) for item in items], np.float32)
    asked = np.array([float(item.relevance is not None) for item in items], np.float32)
    return Batch(*map(torch.from_numpy, (ids, types, mask, target, weight, relevance, asked)))
