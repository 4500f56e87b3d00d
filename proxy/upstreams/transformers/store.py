"""Soft memory of texts that were seen before: bounded in this process, and on disk where a directory is given.

Keys are those of the span cache, so a tenant finds its own memory only. Files are sealed: one that was changed, or
written by someone who did not have the text, does not open.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from threading import Lock

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.proxy.cache.key import Key

_COUNTS = "counts"


class MemoryStore:
    """Least recently used memory goes first, in both places. May be used from several threads."""

    def __init__(self, max_bytes: int, folder: Path | None = None, max_folder_bytes: int = 0) -> None:
        self._max_bytes = max_bytes
        self._folder = folder
        self._max_folder_bytes = max_folder_bytes
        self._lock = Lock()
        self._held: OrderedDict[bytes, Memory] = OrderedDict()
        self._bytes = 0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def get(self, key: Key) -> Memory | None:
        """The memory, or None."""
        with self._lock:
            found = self._held.get(key.seal)
            if found is not None:
                self._held.move_to_end(key.seal)
                return found
        found = self._from_disk(key)
        if found is not None:
            self._hold(key, found)
        return found

    def put(self, key: Key, memory: Memory) -> None:
        """Keeps it, as far as there is room; on disk until `prune`."""
        self._hold(key, memory)
        if self._folder is None:
            return
        path = self._path(key)
        fresh = path.with_suffix(f".{os.getpid()}")
        counts = torch.tensor([memory.original, memory.span])
        try:
            fresh.write_bytes(key.close(save({**memory.tensors(), _COUNTS: counts})))
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)  # a full or lost disk costs time only

    def prune(self) -> None:
        """Takes the directory back to its bound. Looks at every file, so once for all that a text has brought."""
        if self._folder is None:
            return
        with suppress(OSError):  # another process has pruned, or the disk is lost: both cost time only
            self._prune(self._folder)

    def _hold(self, key: Key, memory: Memory) -> None:
        with self._lock:
            if memory.nbytes > self._max_bytes or key.seal in self._held:
                return
            self._held[key.seal] = memory
            self._bytes += memory.nbytes
            while self._bytes > self._max_bytes:
                self._bytes -= self._held.popitem(last=False)[1].nbytes

    def _from_disk(self, key: Key) -> Memory | None:
        if self._folder is None:
            return None
        path = self._path(key)
        try:
            tensors = load(key.open(path.read_bytes()))
            os.utime(path)
            original, span = tensors.pop(_COUNTS).tolist()
        except (OSError, ValueError, KeyError, SafetensorError):
            return None
        return Memory.of(tensors, original, span)

    def _path(self, key: Key) -> Path:
        assert self._folder is not None
        return self._folder / f"{key.name.rsplit(b':', 1)[-1].decode()}.memory"

    def _prune(self, folder: Path) -> None:
        files = [(entry.stat(), entry.path) for entry in os.scandir(folder) if entry.name.endswith(".memory")]
        size = sum(about.st_size for about, _ in files)
        for about, path in sorted(files, key=lambda file: file[0].st_mtime):
            if size <= self._max_folder_bytes:
                return
            Path(path).unlink(missing_ok=True)
            size -= about.st_size
