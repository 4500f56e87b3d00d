"""The compressor: one class that ties the stages together.

plan (no model) -> score (the model, any mixture of windows) -> finish (no model). compress() does all three.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from moosproxy.compressor import arguments
from moosproxy.compressor import calibration as calibrations
from moosproxy.compressor import checkpoint as checkpoints
from moosproxy.compressor.calibration import Calibration
from moosproxy.compressor.checkpoint import Checkpoint
from moosproxy.compressor.engines import Engine, open_engine
from moosproxy.compressor.errors import CheckpointError
from moosproxy.compressor.kept import Span
from moosproxy.compressor.planning.windows import Window
from moosproxy.compressor.result import CompressionResult
from moosproxy.compressor.scoring import metric
from moosproxy.compressor.scoring.metric import WindowScores
from moosproxy.compressor.settings import CompressionSettings

if TYPE_CHECKING:
    from moosproxy.compressor.planning.plan import Plan

# Windows handed to the engine at once by compress(): bounds memory and paces the progress report.
_BATCH = 64


class Compressor:
    """Shortens texts with one checkpoint. Thread-safe.

    >>> with Compressor.load() as compressor:
    ...     result = compressor.compress(document, CompressionSettings(ratio=4))
    """

    def __init__(self, checkpoint: Checkpoint, engine: Engine, calibration: Path | None = None):
        """calibration: a file; the checkpoint's own by default, read when a quality is asked for."""
        self.checkpoint, self.engine = checkpoint, engine
        self._calibration_file = calibration or checkpoint.directory / calibrations.FILE_NAME
        self._reduce = metric.reducer(checkpoint.preserve)

    @classmethod
    def load(
        cls,
        directory: Path | str | None = None,
        *,
        engine: str = "auto",
        threads: int | None = None,
        calibration: Path | str | None = None,
    ) -> Self:
        """Opens a checkpoint directory, the bundled one by default, in the fastest engine installed.

        engine: "auto", "onnxruntime", "openvino" or "torch". threads: all by default.
        calibration: what a quality floor is predicted by; the file in the checkpoint by default.
        Raises CheckpointError for a missing or damaged checkpoint and for a calibration that is named and was not
        made for it, SettingsError for an unknown engine and for
        threads below one, ArgumentError for a directory that is no path.
        """
        checkpoint = checkpoints.load(directory)
        with ThreadPoolExecutor(1) as opener:
            opened = opener.submit(open_engine, checkpoint, engine, threads)
            # An engine starts in code that does not hold the interpreter: our stages load beside it.
            for stage in ("planning.plan", "selection.finish"):
                import_module(f"moosproxy.compressor.{stage}")
            made = cls(checkpoint, opened.result(), Path(calibration) if calibration else None)
        if calibration is not None:
            try:
                _ = made.calibration
            except CheckpointError:
                made.close()
                raise
        return made

    @property
    def fingerprint(self) -> str:
        """Stands for everything but text and settings that decides the result: part of every cache key."""
        return self.checkpoint.fingerprint

    @cached_property
    def calibration(self) -> Calibration:
        """What predicts a quality. Raises CheckpointError for a missing file and for another checkpoint's."""
        return Calibration.load(self._calibration_file, self.fingerprint)

    def identity(self, settings: CompressionSettings) -> str:
        """The fingerprint, with the calibration's digest where a quality is asked for. Raises CheckpointError."""
        if settings.quality is None:
            return self.fingerprint
        return f"{self.fingerprint}-{self.calibration.digest[:16]}"

    def plan(self, text: str, settings: CompressionSettings, spans: Sequence[Span] = ()) -> Plan:
        """Words, protection, question and windows of a text. spans: never cut, beside what settings protect.

        Raises ArgumentError for a wrong type, SettingsError for a span that ends before it starts, CheckpointError
        for a quality without a calibration.
        """
        from moosproxy.compressor.planning import plan
        from moosproxy.compressor.selection.units.reach import most_saved

        text = arguments.text(text)
        settings = arguments.instance("settings", settings, CompressionSettings)
        self.identity(settings)  # a quality that nothing predicts is told before the model runs
        made = plan.make(text, settings, arguments.spans(spans), self.checkpoint)
        if made.alone or not settings.min_savings or most_saved(made) >= settings.min_savings:
            return made
        return replace(made, windows=(), alone=True)

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Scores of windows, of one plan or of many; a window's scores do not depend on the others."""
        return self.engine.run(windows, self._reduce)

    def finish(self, plan: Plan, scores: Sequence[WindowScores], *, words: bool = False) -> CompressionResult:
        """The result, once every window of the plan is scored. words: with the score of every word."""
        from moosproxy.compressor.selection import finish

        settings = plan.settings
        calibration = self.calibration if settings.quality is not None else None
        return finish.finish(plan, scores, self.identity(settings), words=words, calibration=calibration)

    def compress(
        self,
        text: str,
        settings: CompressionSettings | None = None,
        *,
        spans: Sequence[Span] = (),
        words: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> CompressionResult:
        """Shortens one text. Raises what plan() raises.

        spans: (start, end) in characters, never cut. words: with the score of every word, and the original.
        progress: called with windows done and windows in all.
        """
        plan = self.plan(text, CompressionSettings() if settings is None else settings, spans)
        began = time.perf_counter()
        scores: list[WindowScores] = []
        needed = plan.windows if plan.settings.ratio > 1 else ()
        for at in range(0, len(needed), _BATCH):
            scores += self.score(needed[at : at + _BATCH])
            if progress:
                progress(len(scores), len(needed))
        plan.timings["score"] = time.perf_counter() - began
        return self.finish(plan, scores, words=words)

    def count(self, text: str, tokenizer: str | None = None) -> int:
        """Tokens of a text as results count them. tokenizer: as in CompressionSettings."""
        from moosproxy.compressor.text.tokens import counter_for

        counter = counter_for(tokenizer)
        text = arguments.text(text)
        return counter.count(text) if counter else int(self.checkpoint.encoder.encode(text).word_costs.sum())

    def close(self) -> None:
        """Frees the engine; idempotent."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
