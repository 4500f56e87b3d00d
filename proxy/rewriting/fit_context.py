"""Makes a prompt fit a model's window: the smallest ratio that does, kept for the conversation while it fits.

This is the one place where earlier messages may change their form between two turns, and only when they must: the
ratio that was chosen holds for every later turn until the conversation has outgrown it.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, NamedTuple

import orjson

from moosproxy.policies.model import Policy
from moosproxy.proxy.doors.base import Door
from moosproxy.proxy.errors import ContextTooLong
from moosproxy.proxy.reasons import FORCED, SkipReason
from moosproxy.proxy.rewriting.outcome import Rewritten
from moosproxy.proxy.upstreams.window import Room

STEPS_PER_UNIT = 4
"""Ratios are tried in quarters: finer ones would spare few words, and a later turn would outgrow them sooner."""
_CONVERSATIONS = 4096
_NOT_TRIED = FORCED | {SkipReason.NOT_WORTH_IT, SkipReason.QUALITY_FLOOR}

Attempt = Callable[[float], Awaitable[Rewritten]]
Measure = Callable[[Rewritten], Awaitable[Room | None]]


class Fit(NamedTuple):
    """What was done. ratio: chosen for the whole prompt. how: chosen now, kept from an earlier turn, or raised."""

    ratio: float
    how: Literal["chosen", "kept", "raised"]


class FitContext:
    """Remembers the ratio of each conversation, by hashes of its messages; holds no text."""

    def __init__(self) -> None:
        self._chosen: OrderedDict[bytes, float] = OrderedDict()

    async def fit(
        self,
        door: Door,
        body: dict[str, Any],
        scope: Sequence[str | None],
        policy: Policy,
        usual: Rewritten,
        attempt: Attempt,
        measure: Measure,
    ) -> tuple[Rewritten, Fit | None]:
        """The request as it is to go out. usual: as the policy's own ratio made it.

        scope: what sets conversations apart beside their messages, such as team and model. attempt: the request at
        another ratio. Raises ContextTooLong where the largest allowed ratio does not do.
        """
        digests = _digests(door, body, scope)
        known = next((self._chosen[digest] for digest in reversed(digests) if digest in self._chosen), None)
        lowest, best = policy.ratio, usual
        if known is not None:
            lowest, best = known, await attempt(known)
        room = await measure(best)
        if room is None or room.fits:
            if known is None or room is None:
                return best, None
            self._remember(digests[-1], known)
            return best, Fit(known, "kept")
        steps = _steps(lowest, max(policy.ratio, policy.max_ratio))
        seen = policy.quality is None and not any(part.reason in _NOT_TRIED for part in usual.parts)
        if known is None and policy.ratio > 1 and not seen:
            steps = [policy.ratio, *steps]  # nobody has seen yet what the policy's own ratio makes of it
        ratio, best = await _smallest(steps, best, room, attempt, measure, door.main)
        self._remember(digests[-1], ratio)
        return best, Fit(ratio, "chosen" if known is None else "raised")

    def _remember(self, digest: bytes, ratio: float) -> None:
        self._chosen[digest] = ratio
        self._chosen.move_to_end(digest)
        if len(self._chosen) > _CONVERSATIONS:
            self._chosen.popitem(last=False)


async def _smallest(
    steps: Sequence[float], tried: Rewritten, room: Room, attempt: Attempt, measure: Measure, field: str
) -> tuple[float, Rewritten]:
    """Bisection over the ascending steps, begun where arithmetic says that it should fit. field: to blame."""
    found: tuple[float, Rewritten] | None = None
    first, behind = 0, len(steps)
    probe = _guess(steps, tried, room)
    while first < behind:
        rewritten = await attempt(steps[probe])
        measured = await measure(rewritten)
        if measured is None or measured.fits:
            found, behind = (steps[probe], rewritten), probe
        else:
            room, first = measured, probe + 1
        probe = (first + behind) // 2
    if found is None:
        most = steps[-1] if steps else tried.ratio
        raise ContextTooLong(
            f"This model's maximum context length is {room.window} tokens, {room.reserved} of them kept for the "
            f"answer, but the prompt still has {room.prompt} tokens when it is shortened by {most:g}, the most "
            "that the policy allows. Shorten it, raise max_ratio or the model's context, or ask for fewer tokens.",
            param=field,
        )
    return found


def _steps(low: float, high: float) -> list[float]:
    first = math.floor(low * STEPS_PER_UNIT) + 1
    steps = [number / STEPS_PER_UNIT for number in range(first, math.floor(high * STEPS_PER_UNIT) + 1)]
    return steps if (steps and steps[-1] == high) or high <= low else [*steps, high]


def _guess(steps: Sequence[float], tried: Rewritten, room: Room) -> int:
    """Index of the step at which the texts that may be cut would be short enough."""
    cut = [part for part in tried.parts if part.reason in (None, SkipReason.DISABLED, *_NOT_TRIED)]
    before, after = sum(part.tokens_before for part in cut), sum(part.tokens_after for part in cut)
    left = after - (room.prompt + room.reserved - room.window)
    if left <= 0:
        return len(steps) - 1 if steps else 0
    needed = before / left
    return next((index for index, step in enumerate(steps) if step >= needed), len(steps) - 1)


def _digests(door: Door, body: dict[str, Any], scope: Sequence[str | None]) -> list[bytes]:
    """One for each beginning of the conversation, the whole of it last."""
    hasher = hashlib.sha256(orjson.dumps(list(scope)))
    out = []
    for entry in door.turns(body) or [None]:
        # JSON with surrogates kept apart: what cannot be written as UTF-8 must still tell conversations apart.
        hasher.update(repr(entry).encode("utf-8", "surrogatepass") + b"\0")
        out.append(hasher.digest())
    return out
