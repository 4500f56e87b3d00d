"""Logs by the default policy's way: do lines of rare events stay whole, and is every line that stays exact?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.kept import Span
from moosproxy.compressor.settings import CompressionSettings
from moosproxy.compressor.text.tokens import TokenCounter, counter_for

MARK_TOKENS = 7
"""Of a mark on a line of its own."""


@dataclass
class Tally:
    """Counts over all logs. fit: of the logs whose rare lines alone, with marks, are no longer than the ratio asks
    for; in the others no choice of lines could keep them all. tokens: before and after."""

    logs: int = 0
    rare: int = 0
    whole: int = 0
    fit_rare: int = 0
    fit_whole: int = 0
    lines: int = 0
    exact: int = 0
    before: int = 0
    after: int = 0
    least: float = float("inf")

    def table(self) -> str:
        """One line for each figure."""
        return "\n".join(
            (
                f"{self.logs} logs, {self.before} tokens to {self.after}: "
                f"ratio {self.before / max(self.after, 1):.2f}, {self.least:.2f} at least",
                f"{_share(self.exact, self.lines)} of the lines that stay are exact",
                f"{_share(self.fit_whole, self.fit_rare)} of rare events' lines stay whole where they fit",
                f"{_share(self.whole, self.rare)} of rare events' lines stay whole in all logs",
            )
        )


def measure(
    data: Path | None,
    checkpoint: Path | None,
    ratio: float,
    tokenizer: str,
    limit: int | None = None,
    threads: int | None = None,
) -> Tally:
    """Compresses every log of data/eval/logs. Raises CompressorError for an unknown tokenizer."""
    counter = counter_for(tokenizer)
    if counter is None:
        raise CompressorError(f"tokenizer {tokenizer!r} is not on this machine; take o200k_base or cl100k_base")
    tally = Tally()
    settings = CompressionSettings(ratio=ratio, tokenizer=tokenizer)
    with Compressor.load(checkpoint, threads=threads) as compressor:
        for row in records.read(records.data_directory(data), "eval/logs", limit):
            result = compressor.compress(row["text"], settings)
            tally.before += result.tokens_before
            tally.after += result.tokens_after
            tally.least = min(tally.least, result.ratio)
            _count(tally, row, result.text, counter, ratio)
    return tally


def _count(tally: Tally, row: records.Record, short: str, counter: TokenCounter, ratio: float) -> None:
    text = row["text"]
    original, kept = set(text.split("\n")), short.split("\n")
    stayed = [line for line in kept if line in original or "[…" not in line]
    rare = [(line["start"], line["end"]) for line in row["lines"] if line["event"] in set(row["rare_events"])]
    whole = sum(text[start:end] in stayed for start, end in rare)
    tally.logs += 1
    tally.lines += len(stayed)
    tally.exact += sum(line in original for line in stayed)
    tally.rare += len(rare)
    tally.whole += whole
    if _fits(text, rare, counter, ratio):
        tally.fit_rare += len(rare)
        tally.fit_whole += whole


def _fits(text: str, rare: list[Span], counter: TokenCounter, ratio: float) -> bool:
    tokens, behind = 0, 0
    for start, end in rare:
        tokens += counter.count(text[start:end]) + 1 + MARK_TOKENS * bool(text[behind:start].strip())
        behind = end
    return tokens + MARK_TOKENS * bool(text[behind:].strip()) <= counter.count(text) / ratio


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(whole, 1):.1f} %)"
