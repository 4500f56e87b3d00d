"""A model's file in a Hugging Face repository: found in the hub's cache, or fetched once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from moosproxy.proxy.upstreams.llama_cpp.gguf_file import parts
from moosproxy.proxy.upstreams.local.faults import ModelFault

_AGAIN_S = 30.0
_ANSWER_S = 5.0


class HubFile:
    """Belongs to one event loop. Whoever asks while it is being fetched waits for the same download."""

    def __init__(self, repo: str, file: str) -> None:
        self._repo = repo
        self._file = file
        self._fetching: asyncio.Future[Path] | None = None
        self._ended = 0.0

    async def path(self) -> Path:
        """Raises ModelFault; where it could not be fetched a moment ago, at once."""
        if self._fetching is None or (self._fetching.done() and self._worth_a_try(self._fetching)):
            self._fetching = self._fetch()
        return await asyncio.shield(self._fetching)

    def _worth_a_try(self, last: asyncio.Future[Path]) -> bool:
        return last.exception() is None or asyncio.get_running_loop().time() - self._ended > _AGAIN_S

    def _fetch(self) -> asyncio.Future[Path]:
        """In a thread that does not hold up the end of the process, as the loop's own threads do."""
        loop = asyncio.get_running_loop()
        fetching: asyncio.Future[Path] = loop.create_future()

        def settle(found: Path | ModelFault) -> None:
            self._ended = loop.time()
            if isinstance(found, Path):
                fetching.set_result(found)
            else:
                fetching.set_exception(found)
                fetching.exception()  # known, even if whoever asked has gone

        def work() -> None:
            found: Path | ModelFault
            try:
                found = _found(self._repo, self._file)
            except ModelFault as fault:
                found = fault
            with suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(settle, found)

        threading.Thread(target=work, name="moos-hub", daemon=True).start()
        return fetching


def downloader() -> Callable[..., str]:
    """The hub's own function for one file. Raises ImportError where its package is missing.

    Without this setting its package (1.33.0) asks the hub for a list of coding agents even where the file is here.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import hf_hub_download

    download: Callable[..., str] = hf_hub_download
    return download


def _found(repo: str, file: str) -> Path:
    try:
        hf_hub_download = downloader()
    except ImportError:
        raise ModelFault("file", "a model's repo needs huggingface_hub: pip install 'moosproxy[local]'") from None
    names = parts(file)
    with suppress(Exception):  # not in the cache: the hub has several errors for it
        first, *_ = [hf_hub_download(repo, name, local_files_only=True) for name in names]
        return Path(first)
    try:
        first, *_ = [hf_hub_download(repo, name, etag_timeout=_ANSWER_S) for name in names]
        return Path(first)
    except Exception as fault:  # the hub's own errors, and whatever its HTTP client raises
        raise ModelFault(
            "file",
            f"{file} of {repo} is not in the hub's cache and could not be fetched ({type(fault).__name__}); "
            f"fetch it where there is a network, and give its path; the next try comes after {_AGAIN_S:g} s",
        ) from None
