"""Greedy answers to questions behind text or memory, for evaluation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.reading import Piece, Reading

Prefix = Callable[[Tensor], Sequence[Piece]]
"""Contexts (B, n) -> what is read before the question."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question about one context, as token ids, and its answer in words."""

    context: tuple[int, ...]
    question: tuple[int, ...]
    reference: str


@torch.inference_mode()
def answers(
    base: FrozenModel, asked: Sequence[Asked], prefix: Prefix, decode: Callable[[list[int]], str], batch: int = 32
) -> list[str]:
    """The model's greedy answer to each question, in order. Questions and contexts of one length run together."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, each in enumerate(asked):
        groups[len(each.context), len(each.question)].append(index)
    found = [""] * len(asked)
    for members in groups.values():
        for start in range(0, len(members), batch):
            run = members[start : start + batch]
            contexts = torch.tensor([asked[index].context for index in run], device=base.device)
            questions = torch.tensor([asked[index].question for index in run], device=base.device)
            for index, ids in zip(run, generate(base, [*prefix(contexts), questions]), strict=True):
                found[index] = decode(ids).strip()
    return found


@torch.inference_mode()
def generate(base: FrozenModel, pieces: Sequence[Piece], longest: int = 12) -> list[list[int]]:
    """At most `longest` likeliest tokens of each row, without the end-of-text token."""
    reading = Reading(base)
    states = reading.read(pieces)
    rows: list[list[int]] = [[] for _ in range(states.shape[0])]
    open_rows = set(range(len(rows)))
    end = base.config.eos_token_id
    for _ in range(longest):
        token = base.head(states[:, -1]).argmax(-1)
        for row in list(open_rows):
            if int(token[row]) == end:
                open_rows.discard(row)
            else:
                rows[row].append(int(token[row]))
        if not open_rows:
            break
        states = reading.read([token[:, None]])
    return rows


def exact(answer: str, reference: str) -> float:
    """1 if the words are the same."""
    return float(answer.lower().split() == reference.lower().split())


def f1(answer: str, reference: str) -> float:
    """Harmonic mean of the shares of words found, order aside."""
    said, wanted = answer.lower().split(), reference.lower().split()
    common = sum(min(said.count(word), wanted.count(word)) for word in set(said))
    return 2 * common / (len(said) + len(wanted)) if said or wanted else 1.0
