"""Follows one request whose long texts become soft memory: what is asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from moosproxy.compressor.planning.whole import stays_whole
from moosproxy.policies.model import Policy
from moosproxy.policies.resolve import Decision
from moosproxy.proxy.bodies.parts import TextPart
from moosproxy.proxy.bodies.splice import Path
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.asked import MATERIAL_ROLES
from moosproxy.proxy.rewriting.outcome import Rewritten
from moosproxy.proxy.rewriting.soft.outcomes import softened, untouched
from moosproxy.proxy.upstreams.soft_told import SoftPart, SoftWish

Take = Callable[[Rewritten, float], None]
"""Notes the outcomes, and the seconds of the model's time that were compression."""


def wish(policy: Policy, ratio: float | None = None) -> SoftWish | None:
    """The policy's soft compression as a local model is told, None where it has none.

    ratio: the request's own. Any may be asked for: only those that were trained do anything. 1 is no compression.
    """
    soft = policy.soft
    if soft is None or not policy.enabled or policy.shadow:
        return None
    asked = float(soft.ratio) if ratio is None else ratio
    if not policy.allow_bypass:
        asked = max(asked, float(soft.ratio))
    roles = frozenset[str](policy.compress_roles) - policy.protected_roles
    return SoftWish(soft.method, asked, soft.min_tokens, roles, policy.on_error == "reject")


def is_soft(decision: Decision) -> bool:
    """Whether the texts are compressed by the model that reads them."""
    return decision.upstreams[0].kind == "transformers" and wish(decision.policy) is not None


class Softening:
    """wish: what the model is told, None where the request wants nothing of it."""

    def __init__(
        self,
        parts: Sequence[TextPart],
        asked: Sequence[str | None],
        policy: Policy,
        ratio: float | None,
        take: Take,
        *,
        bypass: bool,
    ) -> None:
        """parts: the request's texts as they came. asked: what was asked before each. ratio: the request's own,
        None where it says nothing."""
        self._parts = parts
        self._take = take
        self._shortened: Rewritten | None = None
        self._changes: Mapping[Path, str] = {}
        self._told = False
        self._reason = SkipReason.SOFT_ELSEWHERE
        wished = wish(policy, ratio)
        self.wish = None
        if bypass or wished is None or wished.ratio == 1:
            self._reason = SkipReason.BYPASS if bypass else SkipReason.DISABLED
        else:
            self.wish = replace(wished, tell=self._tell, whole=_whole(parts, asked, wished, policy))

    def shortened(self, rewritten: Rewritten) -> None:
        """What shortening the texts before has made."""
        self._shortened, self._changes = rewritten, rewritten.changes

    def close(self) -> None:
        """Once the answer has begun: a model that was not asked for memory has told of none."""
        if not self._told:
            self._take(self._shortened or untouched(self._parts, self._reason), 0.0)

    def _tell(self, told: Sequence[SoftPart], seconds: float) -> None:
        assert self.wish is not None
        self._told = True
        made = softened(self._parts, self._changes, self.wish, told, self._shortened, seconds)
        self._take(made, seconds)


def _whole(
    parts: Sequence[TextPart], asked: Sequence[str | None], wished: SoftWish, policy: Policy
) -> frozenset[str]:
    """Vectors keep no word: what is to be translated or counted in is read as text."""
    if policy.question == "off":
        return frozenset()
    long = (
        (part, before)
        for part, before in zip(parts, asked, strict=True)
        if part.role in wished.roles and len(part.text) >= wished.min_tokens
    )
    return frozenset(
        part.text for part, before in long if stays_whole(part.text, before, material=part.role in MATERIAL_ROLES)
    )
