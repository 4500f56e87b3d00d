"""Compression beside the event loop: three lanes of threads, admission at the door, a deadline per request.

Texts of many requests meet in the lane of the model, where their windows share batches. The compressor is known by
what it does: plan and finish are plain Python, score runs the model and may take windows of any mixture of plans.
A text that cannot be done in time is refused at once, and no window of it is computed; one that was begun and
comes late is finished when nobody else waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence, Sized
from functools import partial
from typing import Any, NamedTuple, Protocol

from moosproxy.compressor import CompressionResult, CompressionSettings
from moosproxy.proxy.bodies.parts import estimate_tokens
from moosproxy.proxy.scheduling.admission import Admission, Ticket
from moosproxy.proxy.scheduling.lane import DeadlineMissed, Lane

__all__ = ["CompressionService", "CompressorLike", "DeadlineMissed", "Late", "Overloaded", "ServiceLike"]

Late = Callable[[CompressionResult], None]
"""Gets a result that came after its deadline."""

SPARE_TOKENS = 131_072
"""So much that is late may wait to be finished when there is time."""

LONG_TOKENS = 32_768
"""Longer texts have a thread of their own for plan and finish, so that short ones need not wait for seconds."""


class Window(Protocol):
    """What the model sees at once. The scheduler knows its length, and else never looks inside."""

    @property
    def ids(self) -> Sized:
        """Its pieces."""


class Plan(Protocol):
    """A text made ready for the model."""

    @property
    def windows(self) -> Sequence[Any]:
        """What the model is to see, each a Window."""


class CompressorLike(Protocol):
    """The seam between proxy and compressor; compressor.Compressor has this shape."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights, tokenizer and algorithm."""

    def identity(self, settings: CompressionSettings) -> str:
        """The fingerprint, with that of whatever else decides under these settings."""

    def plan(self, text: str, settings: CompressionSettings) -> Plan:
        """Everything before the model."""

    def score(self, windows: Sequence[Any]) -> Sequence[Any]:
        """The model; one outcome per window, which never depends on the other windows."""

    def finish(self, plan: Any, scores: Sequence[Any], *, words: bool = False) -> CompressionResult:
        """Everything after the model. words: with the score of every word."""


class Overloaded(Exception):
    """The text cannot be done by its deadline, or too many tokens are waiting already."""


class ServiceLike(Protocol):
    """The seam between a request and whoever compresses its texts: a model of this process, or a tier of many."""

    @property
    def fingerprint(self) -> str:
        """Of the compressor that answers are kept under."""

    def identity(self, settings: CompressionSettings) -> str:
        """What stands for the compressor in cache keys under these settings. Raises CheckpointError."""

    @property
    def queued_tokens(self) -> int:
        """Estimated tokens of the texts of this process that are under way."""

    async def compress(
        self,
        text: str,
        settings: CompressionSettings,
        team: str | None,
        deadline: float,
        late: Late | None = None,
        *,
        words: bool = False,
    ) -> CompressionResult:
        """As CompressionService.compress."""


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
        self._admission = admission = Admission(max_queued_tokens)
        self._short: Lane[_Call, Any] = Lane("moos-text", _call, batch=1, threads=1, observe=self._timed)
        self._long: Lane[_Call, Any] = Lane("moos-long", _call, batch=1, threads=1, observe=self._timed)
        self._model: Lane[Any, Any] = Lane(
            "moos-model",
            compressor.score,
            batch=batch_windows,
            threads=threads,
            observe=lambda windows, seconds: admission.model.note(_pieces(windows), seconds),
        )
        self._spare: dict[asyncio.Task[CompressionResult], int] = {}

    @property
    def fingerprint(self) -> str:
        """The compressor's."""
        return self._compressor.fingerprint

    def identity(self, settings: CompressionSettings) -> str:
        """The compressor's; it is the fingerprint where no quality is asked for."""
        return self.fingerprint if settings.quality is None else self._compressor.identity(settings)

    @property
    def queued_tokens(self) -> int:
        """Estimated tokens of all texts under way."""
        return self._admission.tokens

    async def compress(
        self,
        text: str,
        settings: CompressionSettings,
        team: str | None,
        deadline: float,
        late: Late | None = None,
        *,
        words: bool = False,
    ) -> CompressionResult:
        """Compress one text by a deadline in time.monotonic() seconds. words: with the score of every word.

        late: gets the result, once it is done, of a text that the model has begun with when its deadline comes.
        Raises Overloaded, DeadlineMissed, LaneClosed after aclose, and whatever the compressor raises.
        """
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineMissed
        ticket = self._admission.enter(team, estimate_tokens(text), deadline)
        if ticket is None:
            raise Overloaded
        finish = partial(self._compressor.finish, words=True) if words else self._compressor.finish
        work = asyncio.create_task(self._stages(text, settings, ticket, finish, goes_on=late is not None))
        try:
            await asyncio.wait({work}, timeout=remaining)
        except asyncio.CancelledError:
            work.cancel()
            raise
        if work.done():
            return work.result()
        if late is None or not self._keep(work, ticket, late):
            work.cancel()
        raise DeadlineMissed

    async def aclose(self) -> None:
        """Refuse what waits, let running work end, join every thread."""
        for work in self._spare:
            work.cancel()
        for lane in (self._short, self._long, self._model):
            await lane.aclose()

    def _keep(self, work: asyncio.Task[CompressionResult], ticket: Ticket, late: Late) -> bool:
        """Whether a text that is late is finished all the same: the model has begun with it, and there is room."""
        if not ticket.begun or sum(self._spare.values()) + ticket.left > SPARE_TOKENS:
            return False
        self._spare[work] = ticket.left

        def land(done: asyncio.Task[CompressionResult]) -> None:
            self._spare.pop(done, None)
            if not done.cancelled() and done.exception() is None:
                late(done.result())

        work.add_done_callback(land)
        return True

    async def _stages(
        self,
        text: str,
        settings: CompressionSettings,
        ticket: Ticket,
        finish: Callable[..., CompressionResult],
        *,
        goes_on: bool,
    ) -> CompressionResult:
        lane = self._long if ticket.tokens > LONG_TOKENS else self._short
        errand = _Errand(self._admission, ticket, goes_on)
        try:
            plan_it = _Call(partial(self._compressor.plan, text, settings), ticket.tokens)
            (plan,) = await lane.run(ticket.team, [plan_it], errand)
            self._admission.planned(ticket, _pieces(plan.windows))
            scores = await self._model.run(ticket.team, plan.windows, errand)
            (result,) = await lane.run(ticket.team, [_Call(partial(finish, plan, scores), ticket.tokens)])
        finally:
            self._admission.leave(ticket)
        assert isinstance(result, CompressionResult)
        return result

    def _timed(self, calls: Sequence[_Call], seconds: float) -> None:
        # Planning and finishing are two calls for the tokens of one text.
        self._admission.text.note(sum(call.tokens for call in calls) // 2, seconds)


class _Call(NamedTuple):
    """Something to do about a text of so many tokens."""

    run: Callable[[], Any]
    tokens: int


class _Errand:
    """How one text stands, for the lanes. goes_on: somebody takes a late result."""

    def __init__(self, admission: Admission, ticket: Ticket, goes_on: bool) -> None:
        self._admission, self._ticket, self._goes_on = admission, ticket, goes_on

    def late(self) -> bool:
        return self._admission.lost(self._ticket)

    def goes_on(self) -> bool:
        return self._goes_on and self._ticket.begun

    def served(self, item: Any) -> None:
        if not isinstance(item, _Call):
            self._admission.served(self._ticket, len(item.ids))


def _call(calls: list[_Call]) -> list[Any]:
    return [call.run() for call in calls]


def _pieces(windows: Sequence[Any]) -> int:
    return sum(len(window.ids) for window in windows)
