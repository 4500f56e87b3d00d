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
_CHILD = """
import importlib, json, sys
package = importlib.import_module(sys.argv[2])
Compressor, CompressionSettings = package.Compressor, package.CompressionSettings
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
    with tree_of(ref) as tree, _started(tree, json.dumps([engine, threads, ratio])) as compress:
        yield compress


@contextmanager
def tree_of(ref: str) -> Iterator[Path]:
    """The files at a git ref, in a folder until the block ends. Raises CompressorError."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        _git("worktree", "add", "--detach", "--quiet", str(tree), ref)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def has_package(tree: Path) -> bool:
    """Whether its rooms are in a package: they were none before it could be published.

    Trying the import would find the installed one there.
    """
    return Path(tree, "moosproxy").exists()


@contextmanager
def _started(tree: Path, options: str) -> Iterator[Callable[[str], object]]:
    package = "moosproxy.compressor" if has_package(tree) else "compressor"
    command = [sys.executable, "-c", _CHILD, options, package]
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
