"""How much room a prompt has in a model's window. Values only; an upstream that can tell has `measure`."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from moosproxy.proxy.upstreams.base import Answer, Call


class Room(NamedTuple):
    """In the model's own tokens.

    prompt: what the prompt takes. window: prompt and answer together. answer: what the request reserves for its
    answer, None where it does not say. usual: what to reserve then.
    """

    prompt: int
    window: int
    answer: int | None
    usual: int

    @property
    def reserved(self) -> int:
        """For the answer, at most half of the window: an answer ends where there is no more room.

        Of a small window a quarter is enough where the request does not say.
        """
        if self.answer is None:
            return min(self.usual, self.window // 4)
        return min(self.answer, self.window // 2)

    @property
    def fits(self) -> bool:
        """Whether prompt and answer have room together."""
        return self.prompt + self.reserved <= self.window


@runtime_checkable
class Counts(Protocol):
    """An upstream whose models' tokenizers are at hand."""

    async def tokenizer(self, model: str) -> str | None:
        """Its name for the compressor's settings, None for one that is not known there."""


@runtime_checkable
class CountsPrompts(Protocol):
    """An upstream that can say how many of its own tokens a prompt takes."""

    async def prompt_tokens(self, call: Call) -> int | Answer:
        """For a chat completion as it would be sent; an error as the answer that tells of it."""


@runtime_checkable
class Measures(Protocol):
    """An upstream whose windows are known."""

    async def measure(self, call: Call) -> Room | None:
        """For the call as it would be sent; None where there is nothing to measure."""
