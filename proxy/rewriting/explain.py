"""Why a text comes out as it does: what was kept, what may not go, the marks, and the score of every word.

Made for who asks for it, never kept: scores are in no cache, so the model reads the text for them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from moosproxy.compressor import CompressionResult
from moosproxy.compressor.kept import Span
from moosproxy.policies.model import Policy
from moosproxy.proxy.bodies.parts import TextPart
from moosproxy.proxy.doors.chat import DOOR as CHAT
from moosproxy.proxy.errors import BadRequest
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.asked import settings_for
from moosproxy.proxy.rewriting.conversation import asked_before
from moosproxy.proxy.rewriting.outcome import Overrides, PartOutcome
from moosproxy.proxy.scheduling.scheduler import ServiceLike

MOST_CHARS = 200_000
"""Of all texts together: the scores of each word are ten times as long as the word."""

_SEEN = (None, SkipReason.PROTECTED_KIND, SkipReason.QUALITY_FLOOR, SkipReason.NOT_WORTH_IT)


class Explainer:
    """Without a service nothing can be explained."""

    def __init__(self, service: ServiceLike | None = None) -> None:
        self._service = service

    async def explain(
        self,
        body: Mapping[str, Any],
        policy: Policy,
        team: str | None,
        overrides: Overrides,
        outcomes: Sequence[PartOutcome],
    ) -> list[dict[str, Any]]:
        """The parts of a chat that the compressor reads, each as `explained` tells it.

        outcomes: what became of them. Raises BadRequest for texts that are too long, Overloaded, DeadlineMissed,
        and what the compressor raises.
        """
        parts = CHAT.find(body)
        if sum(len(part.text) for part in parts) > MOST_CHARS:
            raise BadRequest(
                f"Details are told of {MOST_CHARS:,} characters at the most; send less, or leave out `detail`.",
                param="detail",
                code="too_long",
            )
        asked = asked_before(CHAT, body, parts) if policy.question == "auto" else [None] * len(parts)
        model = body.get("model")
        deadline = time.monotonic() + policy.deadline_ms / 1000
        told = []
        for part, outcome, before in zip(parts, outcomes, asked, strict=True):
            if self._service is None or outcome.reason not in _SEEN:
                continue
            settings = settings_for(policy, overrides.ratio, overrides.alpha, model, part.role)
            settings = replace(settings, asked=before) if before else settings
            result = await self._service.compress(part.text, settings, team, deadline, words=True)
            told.append(explained(part, result))
        return told


def explained(part: TextPart, result: CompressionResult) -> dict[str, Any]:
    """One text, ready for JSON. Offsets count Unicode characters of the text as it came, ends are exclusive."""
    words = result.words or ()
    return {
        "message": part.message,
        "part": part.part,
        "tokenizer": result.tokenizer,
        "asked_ratio": result.asked_ratio,
        "target_ratio": round(result.target_ratio, 3),
        "eased": result.eased,
        "floor": asdict(result.floor) if result.floor else None,
        "question": result.question,
        "kept": result.kept.spans,
        "marks": list(_marks(result)),
        "protected": list(_runs([(word.start, word.end) for word in words if word.protected], part.text)),
        "protected_tokens": dict(result.protected),
        "kinds": dict(result.kinds),
        "words": [(word.start, word.end, word.score) for word in words],
        "timings_ms": {stage: round(seconds * 1000, 2) for stage, seconds in result.timings.items()},
    }


def _marks(result: CompressionResult) -> Iterator[tuple[int, str]]:
    """Where each mark stands in the text as it came, and its words."""
    ends = [0, *(end for _, end in result.kept.spans)]
    return ((ends[mark.index], mark.label) for mark in result.kept.marks if mark.label)


def _runs(spans: Sequence[Span], text: str) -> Iterator[Span]:
    """Spans with nothing but white space between them as one."""
    if not spans:
        return
    first, last = spans[0]
    for start, end in spans[1:]:
        if text[last:start].strip():
            yield first, last
            first = start
        last = end
    yield first, last
