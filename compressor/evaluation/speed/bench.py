"""`moos bench compress`: speed, memory and cold start, beside llmlingua in the same run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.speed.earlier import built
from moosproxy.compressor.settings import CompressionSettings
from moosproxy.compressor.text.encoding import TextEncoder

# Peers are measured at the length nearest to this; their time per token does not depend on it.
PEER_PIECES = 10_000
COLD_STARTS = 3
COLD_PIECES = 300
MEMORY_PIECES = 1_000_000
# Texts beyond this take a minute and average over thousands of windows: one round is enough.
ONCE_PIECES = 300_000
# A peer is never asked for more than this: it would take many minutes.
PEER_MOST = 20_000
_CHILD = """
import json, sys
from pathlib import Path
from moosproxy.compressor import Compressor, CompressionSettings
checkpoint, engine, threads, ratio = json.loads(sys.argv[1])
with Compressor.load(checkpoint, engine=engine, threads=threads) as compressor:
    text = sys.stdin.buffer.read().decode()
    compressor.compress(text, CompressionSettings(ratio=ratio))
peak = None
try:  # Linux; ru_maxrss would start at what the parent had when it forked
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
except OSError:
    try:
        import resource
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    except ImportError:  # Windows
        pass
print(json.dumps({"peak_mb": peak}))
"""


@dataclass(frozen=True)
class Choice:
    """The options of `moos bench compress`."""

    checkpoint: Path | None
    lengths: list[int]
    ratio: float
    rounds: int
    text: Path | None
    peer: bool
    engine: str
    threads: int | None
    against: str | None = None


@dataclass
class Measured:
    """Seconds of each round, by contender and length in pieces."""

    seconds: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    def time(self, name: str, pieces: int, work: Callable[[], object]) -> None:
        """Runs the work once and notes how long it took."""
        began = time.perf_counter()
        work()
        self.seconds.setdefault((name, pieces), []).append(time.perf_counter() - began)

    def median(self, name: str, pieces: int) -> float:
        """Median seconds of the rounds."""
        return statistics.median(self.seconds[name, pieces])


def bench(choice: Choice) -> None:
    """Measures and prints a table, then one line of JSON. Raises CompressorError."""
    if choice.peer and min(choice.lengths) > PEER_MOST:
        choice = replace(choice, lengths=[PEER_PIECES, *choice.lengths])
    compressor = Compressor.load(choice.checkpoint, engine=choice.engine, threads=choice.threads)
    encoder = compressor.checkpoint.encoder
    source = sample_text(encoder, choice.text)
    texts = {length: to_length(encoder, source, length) for length in choice.lengths}
    peer_length = min(texts, key=lambda length: abs(length - PEER_PIECES))
    settings = CompressionSettings(ratio=choice.ratio)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        peers = _peers(compressor, Path(folder), choice) if choice.peer else {}
        if choice.against:
            earlier = built(choice.against, choice.ratio, choice.engine, choice.threads)
            peers[f"moosproxy at {choice.against}"] = stack.enter_context(earlier)
        for peer in peers.values():
            peer(texts[min(texts)])
        measured = Measured()
        compressor.compress(texts[min(texts)], settings)
        with Progress() as progress:
            repeated = sum(length <= ONCE_PIECES for length in texts)
            steps = choice.rounds * (repeated + len(peers)) + len(texts) - repeated
            bar = progress.add_task("bench", total=steps)
            for turn in range(choice.rounds):
                for length, text in texts.items():
                    if turn and length > ONCE_PIECES:
                        continue
                    measured.time("moosproxy", length, lambda text=text: compressor.compress(text, settings))  # type: ignore[misc]
                    progress.advance(bar)
                for name, peer in peers.items():
                    measured.time(name, peer_length, lambda peer=peer: peer(texts[peer_length]))  # type: ignore[misc]
                    progress.advance(bar)
    compressor.close()
    cold = [_child(choice, to_length(encoder, source, COLD_PIECES))[0] for _ in range(COLD_STARTS)]
    big = texts.get(MEMORY_PIECES) or texts[max(texts)]
    _, told = _child(choice, big)
    _report(choice, compressor, measured, peer_length, list(peers), statistics.median(cold), told["peak_mb"])


def sample_text(encoder: TextEncoder, file: Path | None) -> str:
    """The given text, else 2,000 sentences of whole words from the tokenizer's vocabulary, the same every time."""
    if file:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise CompressorError(f"cannot read {file}: {fault}") from None
        if not text.strip():
            raise CompressorError(f"{file} holds no text")
        return text
    vocabulary = sorted(w for w in encoder.tokenizer.get_vocab() if w.isascii() and w.isalpha() and len(w) > 1)
    if not vocabulary:
        raise CompressorError("this tokenizer has no plain words: give --text FILE")
    rng = np.random.default_rng(0)
    sentences = []
    for _ in range(2000):
        chosen = rng.choice(len(vocabulary), rng.integers(6, 24))
        sentences.append(
            " ".join(vocabulary[i] for i in chosen).capitalize() + ("\n" if rng.random() < 0.1 else ".")
        )
    return " ".join(sentences)


def to_length(encoder: TextEncoder, source: str, pieces: int) -> str:
    """The source repeated and cut to so many pieces."""
    have = len(encoder.encode(source).ids)
    text = " ".join([source] * (pieces // have + 1))
    encoding = encoder.encode(text)
    return text[: encoding.piece_ends[min(pieces, len(encoding.ids)) - 1]]


def _child(choice: Choice, text: str) -> tuple[float, dict[str, Any]]:
    """Seconds from starting a fresh process to its end with the text compressed, and what it told."""
    checkpoint = str(choice.checkpoint) if choice.checkpoint else None
    options = json.dumps([checkpoint, choice.engine, choice.threads, choice.ratio])
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _CHILD, options], input=text.encode(), capture_output=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise CompressorError(f"a fresh process failed: {done.stderr.decode(errors='replace')[-300:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return seconds, told


def _peers(compressor: Compressor, folder: Path, choice: Choice) -> dict[str, Callable[[str], object]]:
    """llmlingua with a model of the LLMLingua-2-small shape, and with this very checkpoint; {} without it."""
    try:
        from moosproxy.compressor.evaluation.speed import peer

        return peer.contenders(compressor.checkpoint, folder, choice.ratio, choice.threads or os.cpu_count() or 1)
    except ModuleNotFoundError as fault:
        click.echo(f"without the peer: {fault.name} is not installed", err=True)
        return {}


def _report(
    choice: Choice,
    compressor: Compressor,
    measured: Measured,
    peer_length: int,
    peers: list[str],
    cold: float,
    mb: float | None,
) -> None:
    table = Table("contender", "tokens", "seconds", "tokens/s", title="moos bench compress")
    told: dict[str, Any] = {
        "checkpoint": compressor.fingerprint,
        "engine": type(compressor.engine).__name__,
        "eight_bit": compressor.checkpoint.facts.get("eight_bit"),
        "threads": choice.threads or os.cpu_count(),
        "time_per_token_relative_to": peer_length,
        "ratio": choice.ratio,
        "cold_start_s": round(cold, 3),
        "peak_mb": None if mb is None else round(mb, 1),
        "moosproxy": {},
        "peers": {},
        "speedup": {},
    }
    nearest = measured.median("moosproxy", peer_length) / peer_length
    for length in choice.lengths:
        seconds = measured.median("moosproxy", length)
        told["moosproxy"][str(length)] = {
            "seconds": round(seconds, 5),
            "tokens_per_s": round(length / seconds),
            "time_per_token": round(seconds / length / nearest, 3),
        }
        table.add_row("moosproxy", f"{length:,}", f"{seconds:.4f}", f"{length / seconds:,.0f}")
    ours = measured.median("moosproxy", peer_length)
    for name in peers:
        seconds = measured.median(name, peer_length)
        rounds = zip(measured.seconds["moosproxy", peer_length], measured.seconds[name, peer_length], strict=True)
        ratios = sorted(theirs / mine for mine, theirs in rounds)
        told["peers"][name] = {"seconds": round(seconds, 4), "tokens_per_s": round(peer_length / seconds)}
        told["speedup"][name] = {
            "median": round(seconds / ours, 1),
            "low": round(ratios[0], 1),
            "high": round(ratios[-1], 1),
        }
        table.add_row(name, f"{peer_length:,}", f"{seconds:.3f}", f"{peer_length / seconds:,.0f}")
    console = Console(width=110)
    console.print(table)
    for name, speedup in told["speedup"].items():
        click.echo(f"{speedup['median']} times {name} (rounds {speedup['low']} to {speedup['high']})")
    memory = "is not told by this system" if mb is None else f"{mb:.0f} MB"
    click.echo(f"cold start to first compressed text {cold:.2f} s; peak memory of a fresh process {memory}")
    click.echo(json.dumps(told))
