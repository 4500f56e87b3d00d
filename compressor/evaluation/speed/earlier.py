"""An earlier state of this repository as a contender: the same interpreter and packages, its own code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from moosproxy.compressor.errors import CompressorError

ROOT = Path(__file__).resolve().parents[3]
# Its package had another name before it could be published.
_CHILD = """
import json, sys
try:
    from moosproxy.compressor import Compressor, CompressionSettings
except ImportError:
    from compressor import Compressor, CompressionSettings
engine, threads, ratio = json.loads(sys.argv[1])
settings = CompressionSettings(ratio=ratio)
with Compressor.load(engine=engine, threads=threads) as compressor:
    print("ready", flush=True)
    for line in sys.stdin:
        print(compressor.compress(json.loads(line), settings).tokens_after, flush=True)
"""


@contextmanager
def built(ref: str, ratio: float, engine: str, threads: int | None) -> Iterator[Callable[[str], object]]:
    """A compress function of the code at a git ref, in a process of its own. Raises CompressorError."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        _git("worktree", "add", "--detach", "--quiet", str(tree), ref)
        try:
            with _started(tree, json.dumps([engine, threads, ratio])) as compress:
                yield compress
        finally:
            _git("worktree", "remove", "--force", str(tree))


@contextmanager
def _started(tree: Path, options: str) -> Iterator[Callable[[str], object]]:
    command = [sys.executable, "-c", _CHILD, options]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tree, env=environment, stdin=pipe, stdout=pipe, text=True) as child:  # noqa: S603
        assert child.stdin and child.stdout
        told, ask = child.stdout, child.stdin

        def compress(text: str) -> object:
            ask.write(json.dumps(text) + "\n")
            ask.flush()
            return _line(told.readline())

        _line(told.readline())
        yield compress
        ask.close()


def _line(line: str) -> str:
    if not line:
        raise CompressorError("the earlier build fell over; its own message stands above")
    return line


def _git(*words: str) -> None:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise CompressorError(f"git {words[0]}: {done.stderr.strip()}; --against takes a ref of this clone")
