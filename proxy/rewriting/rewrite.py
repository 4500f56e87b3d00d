"""A request body in, the same body with shorter texts out, and for each text what was done or why nothing was.

The compressed form of a text is a function of (text, role, settings, compressor) alone, and a decision that
circumstances forced is pinned under the same key: what went upstream once goes upstream like that again.
Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from moosproxy.compressor import CheckpointError, CompressionResult, CompressionSettings, SettingsError
from moosproxy.policies.model import Policy
from moosproxy.proxy.bodies.parts import TextPart, estimate_tokens
from moosproxy.proxy.cache.key import Key
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.record import Answer, Skip
from moosproxy.proxy.cache.store import LONG_CHARS, VERY_LONG_CHARS, Found, Store, off_loop
from moosproxy.proxy.doors.base import Door
from moosproxy.proxy.doors.chat import DOOR as CHAT
from moosproxy.proxy.errors import CompressionRejected
from moosproxy.proxy.reasons import FORCED, SkipReason
from moosproxy.proxy.rewriting.answer import answer_of
from moosproxy.proxy.rewriting.asked import key_space, ratio_of, settings_for
from moosproxy.proxy.rewriting.conversation import asked_before
from moosproxy.proxy.rewriting.left_out import applied
from moosproxy.proxy.rewriting.money import WorthItsMoney, openings_of
from moosproxy.proxy.rewriting.outcome import Overrides, PartOutcome, Rewritten, Worth, unseen
from moosproxy.proxy.scheduling.scheduler import DeadlineMissed, Overloaded, ServiceLike
from moosproxy.proxy.scheduling.single_flight import SingleFlight

log = logging.getLogger(__name__)

_LATE_BYTES = 8 * 1024 * 1024
_GRACE_S = 0.05
"""The service tells itself that a deadline is missed; only where it cannot, we do."""
_SHORT_PROMPT_BYTES = 2048
"""No provider caches a prompt below 1,024 tokens (OpenAI's documentation, "Prompt caching"): nothing holds on to
its bytes. Two bytes a token are few in any text but noise."""
_SHORT_PIN_S = 60
_PARTS_AT_ONCE = 500
"""So many texts are looked at before others get their turn: a request may have hundreds of thousands."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What holds for every text of a request. deadline: in time.monotonic() seconds. pin_s: of what is forced."""

    policy: Policy
    team: str | None
    overrides: Overrides
    model: str | None
    deadline: float
    pin_s: int


@dataclass(frozen=True, slots=True)
class _Ask:
    """One text that is up for compression."""

    key: Key
    text: str
    settings: CompressionSettings
    request: _Request


class Rewriter:
    """Belongs to one event loop. Without a service every text that is up for compression counts as failed."""

    def __init__(self, service: ServiceLike | None, store: Store, *, pin_ttl_s: int = 3600) -> None:
        """pin_ttl_s: how long a text that circumstances left whole stays whole; as long as providers keep a
        prompt prefix, and not so long that an often used text stays expensive for a day."""
        self._service = service
        self._store = store
        self._pin_ttl_s = pin_ttl_s
        self._flights: SingleFlight[Answer] = SingleFlight()
        self._late = LocalCache(_LATE_BYTES)

    async def rewrite(
        self,
        body: dict[str, Any],
        policy: Policy,
        team: str | None,
        overrides: Overrides,
        worth: Worth | None = None,
        door: Door = CHAT,
    ) -> Rewritten:
        """Shorten what the policy lets us, and what is worth it. worth: None where everything is.

        door: knows the body.
        Raises CompressionRejected only where on_error is "reject".
        """
        started = time.perf_counter()
        many = len(door.turns(body)) > _PARTS_AT_ONCE
        parts = await off_loop(many, lambda: door.find(body))
        request = _Request(
            policy,
            team,
            overrides,
            model if isinstance(model := body.get("model"), str) else None,
            time.monotonic() + policy.deadline_ms / 1000,
            min(self._pin_ttl_s, _SHORT_PIN_S) if _is_short(door, body, parts) else self._pin_ttl_s,
        )
        asked = None
        if policy.question == "auto":
            asked = await off_loop(many, lambda: asked_before(door, body, parts))
        texts, outcomes = await self._treat(parts, request, worth, asked)
        changes = {
            part.path: text
            for part, text in zip(parts, texts, strict=True)
            if text is not part.text and not policy.shadow
        }
        took_ms = (time.perf_counter() - started) * 1000
        openings = openings_of(team, request.model, parts) if policy.enabled else ()
        return Rewritten(body, changes, tuple(outcomes), took_ms, policy.shadow, openings)

    async def _treat(
        self,
        parts: Sequence[TextPart],
        request: _Request,
        worth: Worth | None,
        asked: Sequence[str | None] | None,
    ) -> tuple[list[str], list[PartOutcome]]:
        asks: dict[int, _Ask] = {}
        reasons: dict[int, SkipReason] = {}
        policy = request.policy
        worth_it = WorthItsMoney(policy, request.overrides)
        for index, part in enumerate(parts):
            if index % _PARTS_AT_ONCE == _PARTS_AT_ONCE - 1:
                await asyncio.sleep(0)
            reason = worth_it.judged(part, _reason_at_sight(part, policy, request.overrides, worth))
            before = asked[index] if asked else None
            ask = None if reason else await self._ask(part, request, before)
            if ask:
                asks[index] = ask
            else:
                reasons[index] = reason or SkipReason.FAILED
        found = await self._answers({ask.key: ask for ask in asks.values()}) if asks else {}
        if policy.on_error == "reject":
            _reject_if_forced([*reasons.values(), *(_forced(entry.answer) for entry in found.values())])
        texts: list[str] = []
        outcomes: list[PartOutcome] = []
        for index, part in enumerate(parts):
            if index % _PARTS_AT_ONCE == _PARTS_AT_ONCE - 1:
                await asyncio.sleep(0)
            if index in asks:
                text, outcome = await _apply(part, asks[index], found[asks[index].key], policy.min_savings)
            else:
                text, outcome = part.text, unseen(part, reasons[index])
            texts.append(text)
            outcomes.append(outcome)
        return texts, outcomes

    async def _ask(self, part: TextPart, request: _Request, asked: str | None) -> _Ask | None:
        if self._service is None:
            return None
        policy, wished = request.policy, request.overrides
        try:
            settings = settings_for(policy, wished.ratio, wished.alpha, request.model, part.role)
            identity = self._service.identity(settings)
        except (SettingsError, CheckpointError) as error:
            log.error("policy %s cannot be used for compression: %s", policy.name, error)
            return None
        space = key_space(request.team, identity, settings, policy.on_error, part.role)
        key = await off_loop(
            len(part.text) >= VERY_LONG_CHARS, lambda: space.key(part.text.encode("utf-8", "surrogatepass"), asked)
        )
        return _Ask(key, part.text, replace(settings, asked=asked) if asked else settings, request)

    async def _answers(self, asks: dict[Key, _Ask]) -> dict[Key, Found]:
        found = await self._store.find([(key, ask.text) for key, ask in asks.items()])
        missing = [ask for key, ask in asks.items() if key not in found]
        answers = await asyncio.gather(*(self._answer(ask) for ask in missing))
        return found | {ask.key: Found(answer, None) for ask, answer in zip(missing, answers, strict=True)}

    async def _answer(self, ask: _Ask) -> Answer:
        try:
            async with asyncio.timeout(ask.request.deadline + _GRACE_S - time.monotonic()) as limit:
                return await self._flights.run(ask.key, lambda: self._compute(ask))
        except DeadlineMissed:
            reason = SkipReason.DEADLINE
        except Overloaded:
            reason = SkipReason.OVERLOADED
        except Exception as error:
            # The message of a foreign error may quote the text: only its type is logged.
            reason = SkipReason.DEADLINE if limit.expired() else SkipReason.FAILED
            if reason is SkipReason.FAILED:
                log.warning("compression failed: %s", type(error).__name__)
        pin = Skip(reason, estimate_tokens(ask.text), int(time.time()) + ask.request.pin_s)
        if ask.request.policy.shadow or ask.request.policy.on_error == "reject":
            return pin  # nothing depends on it: the original goes out in any case, or nothing does
        return await self._store.settle(ask.key, ask.text, pin)

    async def _compute(self, ask: _Ask) -> Answer:
        known = self._store.peek(ask.key)  # someone may have finished while we asked the shared cache
        if known is not None:
            return known
        if (known := self._late.get(ask.key.seal)) is not None:
            return await self._store.settle(ask.key, ask.text, known)
        assert self._service is not None
        result = await self._service.compress(
            ask.text, ask.settings, ask.request.team, ask.request.deadline, lambda late: self._keep(ask, late)
        )
        answer = await off_loop(len(ask.text) >= LONG_CHARS, lambda: answer_of(ask.text, result))
        return await self._store.settle(ask.key, ask.text, answer)

    def _keep(self, ask: _Ask, result: CompressionResult) -> None:
        """What came late counts once the text that went out whole is no longer pinned."""
        made = asyncio.get_running_loop().run_in_executor(None, answer_of, ask.text, result)
        made.add_done_callback(
            lambda done: None if done.exception() else self._late.put_first(ask.key.seal, done.result())
        )


def _is_short(door: Door, body: dict[str, Any], parts: Sequence[TextPart]) -> bool:
    """Whether the whole prompt is shorter than any that a provider caches."""
    if any(map(body.get, door.beside)) or sum(len(part.text) for part in parts) > _SHORT_PROMPT_BYTES:
        return False
    return sum(len(part.text.encode("utf-8", "surrogatepass")) for part in parts) < _SHORT_PROMPT_BYTES


def _reason_at_sight(
    part: TextPart, policy: Policy, overrides: Overrides, worth: Worth | None
) -> SkipReason | None:
    """What can be told from the text's role and size."""
    ratio = ratio_of(policy, overrides.ratio)
    if not policy.enabled or ratio == 1:
        return SkipReason.DISABLED
    if overrides.bypass:
        return SkipReason.BYPASS
    if overrides.holdout:
        return SkipReason.HOLDOUT
    if part.role not in policy.compress_roles or part.role in policy.protected_roles:
        return SkipReason.ROLE
    tokens = estimate_tokens(part.text)
    if tokens < max(policy.min_tokens, 1):
        return SkipReason.TOO_SHORT
    if worth is not None and not worth(tokens, ratio):
        return SkipReason.NOT_WORTH_IT
    return None


async def _apply(part: TextPart, ask: _Ask, found: Found, min_savings: float) -> tuple[str, PartOutcome]:
    answer = found.answer
    if isinstance(answer, Skip):
        return part.text, _untouched(part, answer.reason, answer.tokens, found)
    before, after = answer.tokens_before, answer.tokens_after
    if before - after <= 0 or before - after < min_savings * before:
        return part.text, _untouched(part, SkipReason.NOT_WORTH_IT, before, found)
    long = len(part.text) >= VERY_LONG_CHARS
    text, fewer = await off_loop(long, lambda: applied(answer, part.text, ask.settings.tokenizer))
    outcome = PartOutcome(
        part.message,
        part.part,
        part.role,
        None,
        before,
        after,
        found.layer,
        limit=answer.limit,
        kinds=answer.kinds,
        fewer=fewer,
    )
    return text, outcome


def _untouched(part: TextPart, reason: SkipReason, tokens: int, found: Found) -> PartOutcome:
    kinds = tuple((kind, before, before) for kind, before, _ in found.answer.kinds)
    # A decision that circumstances forced was made without counting.
    forced = reason in FORCED
    return PartOutcome(
        part.message, part.part, part.role, reason, tokens, tokens, found.layer, forced, found.answer.limit, kinds
    )


def _forced(answer: Answer) -> SkipReason | None:
    return answer.reason if isinstance(answer, Skip) else None


def _reject_if_forced(reasons: Sequence[SkipReason | None]) -> None:
    for reason in reasons:
        if reason in FORCED:
            raise CompressionRejected(f"compression was not possible ({reason}) and the policy says reject")
