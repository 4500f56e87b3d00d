"""Which engine to take: the first that is installed, or the one that was asked for.

An engine is a module of this folder with the name of the package that it runs on, and its class is ENGINE.
"""

from __future__ import annotations

import importlib
import importlib.util
from pkgutil import iter_modules

from moosproxy.compressor import arguments, engines
from moosproxy.compressor.checkpoint import Checkpoint
from moosproxy.compressor.engines.base import Engine, available_threads
from moosproxy.compressor.errors import CheckpointError, SettingsError

_PREFERRED = ("onnxruntime", "openvino", "torch")
_FOUND = {module.name for module in iter_modules(engines.__path__)} - {"base", "choosing"}
NAMES = (*_PREFERRED, *sorted(_FOUND.difference(_PREFERRED)))


def open_engine(checkpoint: Checkpoint, name: str = "auto", threads: int | None = None) -> Engine:
    """Loads the checkpoint into the named engine; "auto" takes the first of NAMES that is installed.

    threads: all by default. Raises SettingsError for an unknown or uninstalled engine and for threads below one,
    CheckpointError if the model cannot be loaded.
    """
    if name not in ("auto", *NAMES):
        raise SettingsError(f"unknown engine {name!r}; known: auto, {', '.join(NAMES)}")
    if threads is not None and not arguments.is_whole(threads, 1):
        raise arguments.wrong("threads", "a whole number of at least 1, or None for all", threads)
    threads = threads or available_threads()
    chosen = _choose(checkpoint) if name == "auto" else name
    if importlib.util.find_spec(chosen) is None:
        raise SettingsError(f"engine {chosen} is not installed; install {_package(chosen)}")
    engine: type[Engine] = importlib.import_module(f"{engines.__name__}.{chosen}").ENGINE
    return engine(checkpoint, threads)


def _choose(checkpoint: Checkpoint) -> str:
    has_graph = (checkpoint.directory / "model.onnx").is_file()
    for name in NAMES if has_graph else ("torch",):
        if importlib.util.find_spec(name) is not None:
            return name
    if not has_graph:
        raise CheckpointError(
            f"checkpoint {checkpoint.directory} has no model.onnx and needs torch: install moosproxy[torch]"
        )
    raise SettingsError("no engine is installed; reinstall moosproxy")


def _package(name: str) -> str:
    return "moosproxy" if name == "onnxruntime" else f"moosproxy[{name}]"
