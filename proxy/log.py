"""One JSON object per line on standard output. Never holds text of a prompt, of an answer, or a key."""

from __future__ import annotations

import hashlib
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import gmtime, strftime, time
from typing import Any

import orjson

REQUESTS = logging.getLogger("moos.request")
LOG = logging.getLogger("moos")
_SEEN_BY_ALL = "moosproxy.policies"
_SAME_S = 10
"""Seconds in which a second worker's line of the same words is the same event."""


class JsonFormatter(logging.Formatter):
    """Writes a record's message, its `fields`, and of an exception the type and the places.

    Exception messages stay out: those of other libraries quote what they could not read, which may be a prompt.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["trace"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])
            ]
        return orjson.dumps(line, default=str).decode()


class RequestLines:
    """Writes the lines of requests straight to a stream: logging's own way costs more than all else in a line."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        """write: takes a whole line and puts it out at once."""
        self._write = write
        self._second = 0
        self._stamp = ""

    def put(self, fields: dict[str, Any]) -> None:
        """One line, of the form that JsonFormatter gives."""
        now = time()
        second = int(now)
        if second != self._second:
            self._second, self._stamp = second, strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        stamp = f"{self._stamp}.{int((now - second) * 1000):03d}+00:00"
        line = {"ts": stamp, "level": "info", "logger": "moos.request", "event": "request", **fields}
        self._write(orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE))


_lines: RequestLines | None = None


def log_request(fields: Callable[[], dict[str, Any]]) -> None:
    """The line of one request; its fields are asked for if the line is wanted."""
    if not REQUESTS.isEnabledFor(logging.INFO):
        return
    if _lines is not None:
        _lines.put(fields())
        return
    record = logging.LogRecord(REQUESTS.name, logging.INFO, "", 0, "request", None, None)
    record.fields = fields()
    REQUESTS.handle(record)


def _put_out(line: bytes) -> None:
    # A full disk or a pipe that nobody reads costs a line, never the request that it tells of.
    with suppress(OSError):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


class OncePerMachine(logging.Filter):
    """Lets one of several worker processes say what all of them see at the same time, such as a fault in a file.

    folder: where the workers leave notes for each other.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_SEEN_BY_ALL):
            return True
        name, now = hashlib.sha256(record.getMessage().encode()).hexdigest()[:32], int(record.created // _SAME_S)
        if (self._folder / f"said-{name}-{now - 1}").exists():
            return False
        try:
            (self._folder / f"said-{name}-{now}").touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:
            return True
        return True


def configure_logging(level: str = "info", notes: Path | None = None) -> None:
    """Sends every logger of the process to standard output as JSON. Called by `moos serve`, never at import.

    notes: a folder that all workers share, None where there is one worker.
    """
    global _lines
    _lines = RequestLines(_put_out)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    if notes is not None:
        handler.addFilter(OncePerMachine(notes))
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # nothing here shows them
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOG.setLevel(level.upper())
    for noisy in ("LiteLLM", "openai", "httpx", "aiohttp", "asyncio"):
        # Their messages quote requests: a warning of theirs is not worth a leaked prompt.
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(logging.WARNING)
