"""Compression beside the event loop: three lanes of threads, a bound at the door, a deadline per request.

Texts of many requests meet in the lane of the model, where their windows share batches. The compressor is known by
what it does: plan and finish are plain Python, score runs the model and may take windows of any mixture of plans.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from moosproxy.compressor import CompressionResult, CompressionSettings
from moosproxy.proxy.bodies.parts import estimate_tokens
from moosproxy.proxy.scheduling.door import Door
from moosproxy.proxy.scheduling.lane import Lane

LONG_TOKENS = 32_768
"""Longer texts have a thread of their own for plan and finish, so that short ones need not wait for seconds."""


class Plan(Protocol):
    """A text made ready for the model."""

    @property
    def windows(self) -> Sequence[Any]:
        """What the model is to see. The scheduler moves windows and their scores, and never looks inside."""


class CompressorLike(Protocol):
    """The seam between proxy and compressor; compressor.Compressor has this shape."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights, tokenizer and algorithm."""

    def plan(self, text: str, settings: CompressionSettings) -> Plan:
        """Everything before the model."""

    def score(self, windows: Sequence[Any]) -> Sequence[Any]:
        """The model; one outcome per window, which never depends on the other windows."""

    def finish(self, plan: Any, scores: Sequence[Any]) -> CompressionResult:
        """Everything after the model."""


class Overloaded(Exception):
    """Too many tokens are waiting already."""


class DeadlineMissed(Exception):
    """The compression was not done in time."""


class CompressionService:
    """Compresses texts for many requests at once. Belongs to the event loop that first uses it."""

    def __init__(
        self,
        compressor: CompressorLike,
        max_queued_tokens: int = 2_000_000,
        threads: int = 1,
        batch_windows: int = 16,
    ) -> None:
        """max_queued_tokens: bound on the estimated tokens of all texts under way; one team alone gets four fifths
        of it, and a longer text never gets in.
        threads: calls of score() at a time. batch_windows: windows per call, and so the grain of fairness."""
        self._compressor = compressor
        self._door = Door(max_queued_tokens)
        self._short: Lane[Callable[[], Any], Any] = Lane("moos-text", _call, batch=1, threads=1)
        self._long: Lane[Callable[[], Any], Any] = Lane("moos-long", _call, batch=1, threads=1)
        self._model: Lane[Any, Any] = Lane("moos-model", compressor.score, batch=batch_windows, threads=threads)

    @property
    def fingerprint(self) -> str:
        """The compressor's."""
        return self._compressor.fingerprint

    @property
    def queued_tokens(self) -> int:
        """Estimated tokens of all texts under way."""
        return self._door.tokens

    async def compress(
        self, text: str, settings: CompressionSettings, team: str | None, deadline: float
    ) -> CompressionResult:
        """Compress one text by a deadline in time.monotonic() seconds.

        Raises Overloaded, DeadlineMissed, LaneClosed after aclose, and whatever the compressor raises.
        """
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineMissed
        tokens = estimate_tokens(text)
        lane = self._long if tokens > LONG_TOKENS else self._short
        if not self._door.enter(team, tokens):
            raise Overloaded
        try:
            async with asyncio.timeout(remaining) as limit:
                return await self._stages(text, settings, team, lane)
        except TimeoutError:
            if limit.expired():
                raise DeadlineMissed from None
            raise
        finally:
            self._door.leave(team, tokens)

    async def aclose(self) -> None:
        """Refuse what waits, let running work end, join every thread."""
        for lane in (self._short, self._long, self._model):
            await lane.aclose()

    async def _stages(
        self,
        text: str,
        settings: CompressionSettings,
        team: str | None,
        lane: Lane[Callable[[], Any], Any],
    ) -> CompressionResult:
        (plan,) = await lane.run(team, [partial(self._compressor.plan, text, settings)])
        scores = await self._model.run(team, plan.windows)
        (result,) = await lane.run(team, [partial(self._compressor.finish, plan, scores)])
        assert isinstance(result, CompressionResult)
        return result


def _call(calls: list[Callable[[], Any]]) -> list[Any]:
    return [call() for call in calls]
