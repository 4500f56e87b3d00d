"""Whether shortening a text saves time on this machine: its own cost against the prefill that it spares.

Both speeds are measured per model and machine and kept on disk, so that the answer for a text does not change: a
message that was left alone once is left alone in every later turn. They are measured again where the box was busy
the first time, as soon as it is quiet, and where real prompts are read much faster or slower than they say.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import orjson

from moosproxy.compressor import CompressionSettings
from moosproxy.proxy.log import LOG
from moosproxy.proxy.machine import load_average, machine
from moosproxy.proxy.scheduling.scheduler import ServiceLike

if TYPE_CHECKING:
    from moosproxy.policies.fields.local import GgufModel
    from moosproxy.policies.resolve import PolicySet
    from moosproxy.proxy.upstreams.pool import UpstreamPool

FILE = "break-even.json"
_SHORT, _LONG = 400, 3200
"""Estimated tokens of the two texts that the compressor is timed on."""
_PATIENCE_S = 60.0
_LEFT_ALONE_S = 60.0
_LOOK_S = 20.0
_QUIET = 0.7
"""Load average / cores up to which a measurement counts for good."""
_ENOUGH, _OFF = 5, 2.0
"""So many prompts that were read so many times faster or slower than the figures say, and none that was not."""
_NUMBERS = ("fixed_s", "compressed_per_s", "read_per_s")
_SENTENCES = (
    "The committee looked at the delivery of timber after lunch and wrote nothing down. ",
    "Our supplier postponed the second shipment for reasons that nobody could explain later. ",
    "A visitor from the harbour asked about the roof, which had been leaking since the autumn. ",
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. fixed_s: what any text costs. The speeds are in tokens a second.

    quiet: whether the box had nothing else to do.
    """

    fixed_s: float
    compressed_per_s: float
    read_per_s: float
    quiet: bool = True

    def fits(self, seen: Sequence[float]) -> bool:
        """Whether prompts were read lately at about this speed. seen: tokens a second of each."""
        if len(seen) < _ENOUGH:
            return True
        return min(seen) <= self.read_per_s * _OFF and max(seen) >= self.read_per_s / _OFF

    def worth(self, tokens: int, ratio: float) -> bool:
        """Whether a text of so many tokens is shortened sooner than the model reads what shortening spares it.

        Counts prefill as if every token took as long as the first ones. Later ones take longer, so a text that is
        worth it by this count is worth it anywhere.
        """
        spared = tokens * (1 - 1 / ratio) / self.read_per_s
        return spared > self.fixed_s + tokens / self.compressed_per_s

    def least(self, ratio: float) -> int | None:
        """Tokens from which on a text is worth it; None if none is."""
        gain = (1 - 1 / ratio) / self.read_per_s - 1 / self.compressed_per_s
        return None if gain <= 0 else int(self.fixed_s / gain) + 1


@runtime_checkable
class ReadsPrompts(Protocol):
    """An upstream whose models run here."""

    async def prefill_speed(self, model: str) -> float:
        """Tokens a second, measured now."""

    async def identity(self, model: str) -> str:
        """What the speed depends on: file and threads."""

    def read_lately(self, model: str) -> Sequence[float]:
        """Tokens a second of the last prompts since prefill_speed was asked."""

    def is_loaded(self, model: str) -> bool:
        """Whether measuring takes a moment only."""


class BreakEven:
    """Figures by model, measured when first asked for. Belongs to one event loop."""

    def __init__(self, service: ServiceLike | None, folder: Path | None) -> None:
        """service: None where nothing is compressed. folder: None for the user's cache."""
        self._service = service
        self._file = (folder or default_folder()) / FILE
        self._machine = ""
        self._known: dict[str, Figures] = {}
        self._models: dict[str, tuple[ReadsPrompts, str]] = {}
        self._failed: dict[str, float] = {}
        self._compressor: tuple[float, float, bool] | None = None
        self._measuring = asyncio.Lock()

    async def figures(self, upstream: ReadsPrompts, model: str) -> Figures | None:
        """None without a compressor. Raises whatever keeps the model from being measured.

        What failed is not tried again for a while: None then, and the request itself is told why.
        """
        if self._service is None:
            return None
        identity = await upstream.identity(model)
        self._machine = self._machine or f"{machine()} {os.cpu_count()}"
        scope = orjson.dumps([self._machine, self._service.fingerprint, identity])
        key = hashlib.sha256(scope).hexdigest()[:24]
        self._models[key] = upstream, model
        if key in self._known:
            return self._known[key]
        async with self._measuring:
            found = self._known.get(key) or await asyncio.to_thread(_read, self._file, key)
            if found is None and self._failed.get(key, 0) > time.monotonic():
                return None
            if found is None:
                try:
                    found = await self._measure(self._service, lambda: upstream.prefill_speed(model))
                except Exception:
                    self._failed[key] = time.monotonic() + _LEFT_ALONE_S
                    raise
                await asyncio.to_thread(_write, self._file, key, found, model)
            self._known[key] = found
        return found

    async def measure_all(
        self, policies: PolicySet, pool: UpstreamPool, which: Callable[[GgufModel], bool] = lambda _: True
    ) -> None:
        """For every model without figures that some route asks them of, so that the first request need not wait.

        which: of the models. What cannot be measured is left for the request that asks for it to tell.
        """
        decisions = [rule.decision for rules in policies.rules.values() for rule in rules]
        wanted = {each.upstreams[0].name for each in decisions if each.policy.enabled and each.policy.break_even}
        for upstream in policies.upstreams.values():
            if upstream.name not in wanted:
                continue
            client = pool.client(upstream)
            if isinstance(client, ReadsPrompts):
                for name, model in upstream.models.items():
                    if which(model):
                        await self._attempt(client, name)

    async def keep_true(self) -> None:
        """Measures again what no longer fits, and in a quiet moment what was measured in a busy one. For ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look_again()

    async def look_again(self) -> None:
        """The same, once."""
        for key, (upstream, model) in list(self._models.items()):
            figures = self._known.get(key)
            if figures is None or not upstream.is_loaded(model):
                continue
            if figures.fits(upstream.read_lately(model)) and (figures.quiet or not _is_quiet()):
                continue
            async with self._measuring:
                self._compressor = None
                await self._again(key, upstream, model)

    async def _again(self, key: str, upstream: ReadsPrompts, model: str) -> None:
        assert self._service is not None
        try:
            found = await self._measure(self._service, lambda: upstream.prefill_speed(model))
        except Exception as fault:  # what was known stays
            LOG.warning("break-even not measured", extra={"fields": {"reason": type(fault).__name__}})
            return
        self._known[key] = found
        await asyncio.to_thread(_write, self._file, key, found, model)

    async def _attempt(self, upstream: ReadsPrompts, model: str) -> None:
        try:
            await self.figures(upstream, model)
        except Exception as fault:
            fields = {"model": model, "reason": type(fault).__name__}
            LOG.warning("break-even not measured", extra={"fields": fields})

    async def _measure(self, service: ServiceLike, prefill: Callable[[], Awaitable[float]]) -> Figures:
        quiet = _is_quiet()  # before: measuring is work
        read_per_s = await prefill()  # first: a model that cannot be loaded says so at once
        if self._compressor is None:
            short = await _time(service, _SHORT)
            long = await _time(service, _LONG)
            per_token = max((long - short) / (_LONG - _SHORT), 1e-9)
            self._compressor = max(0.0, short - per_token * _SHORT), 1 / per_token, quiet
        fixed_s, compressed_per_s, undisturbed = self._compressor
        figures = Figures(fixed_s, compressed_per_s, read_per_s, quiet and undisturbed)
        LOG.info("break-even measured", extra={"fields": _rounded(figures)})
        return figures


def _is_quiet() -> bool:
    """Whether a measurement would tell what the box can do. Windows does not say how busy it is."""
    load = load_average()
    return load is None or load <= _QUIET * (os.cpu_count() or 1)


async def _time(service: ServiceLike, tokens: int) -> float:
    """Seconds for a text of so many tokens, the better of two: the other one was disturbed."""
    text = "".join(_SENTENCES[at % len(_SENTENCES)] for at in range(tokens * 4 // len(_SENTENCES[0]) + 1))
    took = []
    for _ in range(2):
        began = time.perf_counter()
        await service.compress(text[: tokens * 4], CompressionSettings(), None, time.monotonic() + _PATIENCE_S)
        took.append(time.perf_counter() - began)
    return min(took)


def default_folder() -> Path:
    """The user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moosproxy"


def _read(file: Path, key: str) -> Figures | None:
    entry = _entries(file).get(key)
    try:
        if not entry:
            return None
        fixed_s, compressed_per_s, read_per_s = (float(entry[name]) for name in _NUMBERS)
        return Figures(fixed_s, compressed_per_s, read_per_s, bool(entry.get("quiet", True)))
    except (KeyError, TypeError, ValueError):
        return None


def _write(file: Path, key: str, figures: Figures, model: str) -> None:
    """Beside what is there. A folder that cannot be written costs a measurement at the next start, no more."""
    entry = {"model": model, "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **asdict(figures)}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.write_bytes(orjson.dumps({**_entries(file), key: entry}, option=orjson.OPT_INDENT_2))
        draft.replace(file)
    except OSError as fault:
        LOG.warning(
            "break-even not kept", extra={"fields": {"folder": str(file.parent), "reason": fault.strerror}}
        )


def _entries(file: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _rounded(figures: Figures) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(figures).items()}
