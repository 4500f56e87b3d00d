"""What every model here learns from and is asked: contexts of one length, and tails to be read after them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

import torch
from torch import Tensor

from moosproxy.compressor.soft.training.world import Fact, World

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Batch:
    """context (B, n) token ids, all of them real. tail (B, t): ids read after the context, padded on the right.
    labels (B, t): what each tail position should *be*, IGNORED where nothing is asked. before (1, h): ids read
    ahead of every context, if any. references, asked: where each tail is one question, the answers and, about real
    text, the questions in words."""

    context: Tensor
    tail: Tensor
    labels: Tensor
    references: tuple[str, ...] = ()
    before: Tensor | None = None
    asked: tuple[str, ...] = ()

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        before = None if self.before is None else self.before.to(device)
        tail, labels = self.tail.to(device), self.labels.to(device)
        return replace(self, context=self.context.to(device), tail=tail, labels=labels, before=before)


class Source(Protocol):
    """Where batches come from; each call depends on its arguments alone."""

    def questions(self, size: int, length: int, asked: int, rng: Random) -> Batch:
        """Contexts of `length` tokens, each with `asked` questions and answers one after the other."""

    def continuation(self, size: int, length: int, rng: Random) -> Batch:
        """Contexts of `length` tokens with the text that follows."""


class WorldSource:
    """Batches about the invented world."""

    def __init__(self, tokenizer: Any, world: World, dense: bool = False) -> None:
        """dense: up to twice as many facts in a text, which is how a model learns to tell them apart soonest."""
        self._tokenizer = tokenizer
        self._world = world
        self._dense = dense
        self._words: dict[str, list[int]] = {}

    def questions(self, size: int, length: int, asked: int, rng: Random) -> Batch:
        contexts, tails, labels = [], [], []
        references = []
        for _ in range(size):
            facts = self._facts(length, rng)
            contexts.append(self._text(facts, length, rng))
            tail, label = [], []
            for fact in rng.sample(facts, min(asked, len(facts))):
                question, answer = self._exchange(fact, rng)
                tail += question + answer
                label += [IGNORED] * len(question) + answer
                references.append(fact.value)
            tails.append(tail)
            labels.append(label)
        said = tuple(references) if asked == 1 else ()
        return batch_of(self._tokenizer, contexts, tails, labels, said)

    def continuation(self, size: int, length: int, rng: Random) -> Batch:
        """The continuation tells the context's facts once more, in other words, among filler."""
        contexts, tails = [], []
        for _ in range(size):
            facts = self._facts(length, rng)
            contexts.append(self._text(facts, length, rng))
            tails.append(self._text(facts, length // 2, rng))
        return batch_of(self._tokenizer, contexts, tails, tails)

    def repetition(self, size: int, length: int, rng: Random) -> Batch:
        """Contexts to be said again word for word, so that a model learns what autoencoding asks of it."""
        contexts = [self._text(self._facts(length, rng), length, rng) for _ in range(size)]
        order = self._encode("\nRepeat:\n")
        tails = [order + text + [self._tokenizer.eos_token_id] for text in contexts]
        labels = [[IGNORED] * len(order) + tail[len(order) :] for tail in tails]
        return batch_of(self._tokenizer, contexts, tails, labels)

    def copying(self, size: int, alphabet: int, rng: Random) -> Batch:
        """Six runs of four random tokens, told again in another order; each run's first token is given.

        Recall grows out of this ability, and it emerges soonest where nothing else can be learned. The order must
        change, or a model learns to look a fixed way back. With a small alphabet several tokens have to match.
        """
        known = range(3, len(self._tokenizer))
        contexts, tails, labels = [], [], []
        for _ in range(size):
            tokens = rng.sample(known, min(alphabet, len(known)))
            runs = [rng.choices(tokens, k=4) for _ in range(6)]
            contexts.append([token for run in runs for token in run])
            rng.shuffle(runs)
            tails.append([token for run in runs for token in run])
            labels.append([label for run in runs for label in (IGNORED, *run[1:])])
        return batch_of(self._tokenizer, contexts, tails, labels)

    def _facts(self, length: int, rng: Random) -> list[Fact]:
        """One fact for every twenty tokens."""
        return self._world.facts(max(2, length // (rng.randint(10, 20) if self._dense else 20)), rng)

    def _exchange(self, fact: Fact, rng: Random) -> tuple[list[int], list[int]]:
        question = self._encode(f"\nQ: {self._world.question(fact, rng)}")
        return question, [*self._sentence(fact.value), self._tokenizer.eos_token_id]

    def _text(self, facts: list[Fact], length: int, rng: Random) -> list[int]:
        """Exactly `length` tokens: every fact once as far as they fit, filler between, the last one cut short."""
        told = [self._sentence(self._world.statement(fact, rng)) for fact in facts]
        room = length - sum(map(len, told))
        while room > 0:
            filler = self._sentence(self._world.filler(rng))[:room]
            room -= len(filler)
            told.append(filler)
        cut = told.pop() if len(told) > len(facts) else []
        rng.shuffle(told)
        return [token for sentence in (*told, cut) for token in sentence][:length]

    def _sentence(self, text: str) -> list[int]:
        return [token for word in text.split() for token in self._word(" " + word)]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _word(self, word: str) -> list[int]:
        if word not in self._words:
            self._words[word] = self._encode(word)
        return self._words[word]


def batch_of(
    tokenizer: Any,
    contexts: list[list[int]],
    tails: list[list[int]],
    labels: list[list[int]],
    said: tuple[str, ...] = (),
) -> Batch:
    """Lists as tensors, tails and labels padded."""
    return Batch(torch.tensor(contexts), padded(tails, tokenizer.pad_token_id), padded(labels, IGNORED), said)


def padded(rows: list[list[int]], value: int) -> Tensor:
    """The rows side by side as (B, t), filled on the right with `value`."""
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])
