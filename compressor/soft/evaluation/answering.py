"""Greedy answers to questions behind text or memory, for evaluation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time

import torch
from torch import Tensor

from moosproxy.compressor.evaluation.measures import answers as squad
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.reading import Piece, Reading

Prefix = Callable[[Tensor], Sequence[Piece]]
"""Contexts (B, n) -> what is read before the question."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question about one context, as token ids, and its answer in words. before: ids ahead of every context.
    words: the question alone, where it is known apart from the template."""

    context: tuple[int, ...]
    question: tuple[int, ...]
    reference: str
    before: tuple[int, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer. seconds: until its first token, on CPUs with one thread the process's own. held: bytes of keys
    and values that the model keeps by then. Both of the whole run where several questions were asked together."""

    text: str
    seconds: float
    held: int


@torch.inference_mode()
def answers(
    base: FrozenModel,
    asked: Sequence[Asked],
    prefix: Prefix,
    decode: Callable[[list[int]], str],
    batch: int = 32,
    longest: int = 12,
) -> list[Said]:
    """The model's greedy answer to each question, in order. Questions and contexts of one length run together."""
    groups: dict[tuple[int, int, tuple[int, ...]], list[int]] = defaultdict(list)
    for index, each in enumerate(asked):
        groups[len(each.context), len(each.question), each.before].append(index)
    found: dict[int, Said] = {}
    for (_, _, before), members in groups.items():
        for start in range(0, len(members), batch):
            run = members[start : start + batch]
            contexts = torch.tensor([asked[index].context for index in run], device=base.device)
            questions = torch.tensor([asked[index].question for index in run], device=base.device)
            head = [torch.tensor([before], device=base.device)] if before else []
            clock = _clock(base)
            began, reading = clock(), Reading(base)
            token = base.head(reading.read([*head, *prefix(contexts), questions])[:, -1]).argmax(-1)
            # The CPU waits here for the device, if there is one.
            token = token.cpu().to(base.device)
            seconds, held = clock() - began, _held(reading)
            for index, ids in zip(run, _rest(reading, token, longest), strict=True):
                found[index] = Said(decode(ids).strip(), seconds, held)
    return [found[index] for index in range(len(asked))]


def _rest(reading: Reading, token: Tensor, longest: int) -> list[list[int]]:
    """At most `longest` likeliest tokens of each row, `token` (B,) the first, without what ends an answer."""
    base = reading.base
    end = base.config.eos_token_id
    ends = set(end) if isinstance(end, list) else {end}
    rows: list[list[int]] = [[] for _ in range(len(token))]
    open_rows = set(range(len(rows)))
    while True:
        told = token.tolist()
        open_rows = {row for row in open_rows if told[row] not in ends and len(rows[row]) < longest}
        for row in open_rows:
            rows[row].append(told[row])
        if not open_rows:
            return rows
        token = base.head(reading.read([token[:, None]])[:, -1]).argmax(-1)


def _clock(base: FrozenModel) -> Callable[[], float]:
    """With one thread, CPU time is what an idle machine would take, whoever else is at work."""
    return process_time if base.device.type == "cpu" and torch.get_num_threads() == 1 else perf_counter


def _held(reading: Reading) -> int:
    kept = [each for layer in reading.cache.layers for each in (layer.keys, layer.values)]
    return sum(each.numel() * each.element_size() for each in kept)


def exact(answer: str, reference: str) -> float:
    """1 if the words are the same."""
    return float(answer.lower().split() == reference.lower().split())


def f1(answer: str, reference: str) -> float:
    """Harmonic mean of the shares of words found, order aside."""
    said, wanted = answer.lower().split(), reference.lower().split()
    common = sum(min(said.count(word), wanted.count(word)) for word in set(said))
    return 2 * common / (len(said) + len(wanted)) if said or wanted else 1.0


def normalised_exact(answer: str, reference: str) -> float:
    """The same with SQuAD's normalisation: case, punctuation and articles do not count."""
    return squad.exact_match(answer, [reference])


def normalised_f1(answer: str, reference: str) -> float:
    """The same with SQuAD's normalisation."""
    return squad.f1(answer, [reference])


def holds(answer: str, reference: str) -> float:
    """1 if the reference's words stand in the answer, with the same normalisation: a long answer loses nothing."""
    return squad.survives([reference], answer)
