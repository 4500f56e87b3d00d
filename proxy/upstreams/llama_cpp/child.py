"""The parent's end of a model's process: start, ask, cancel, close. Knows nothing about what the messages mean."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from itertools import count
from typing import Any

import orjson

from moosproxy.proxy.upstreams.llama_cpp.spec import Spec
from moosproxy.proxy.upstreams.llama_cpp.wire import pack, receive
from moosproxy.proxy.upstreams.local.faults import ModelFault

_CLOSE_S = 2.0
_CANCEL_S = 5.0
_LAST = frozenset({"end", "fault", "counted", "embedded", "measured", "warmed"})
_TAIL = 4096
_LONGEST_LINE = 300
# The process needs no key of any upstream, so it gets none.
_INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TMPDIR"),
    *("SYSTEMROOT", "USERPROFILE", "TEMP", "TMP"),  # Windows: without the first, Python does not start there
)

_KILLED = 9  # Windows has no name for it
_REMEDY = (
    "build it here with `make local`, or with CMAKE_ARGS=-DGGML_NATIVE=OFF (gcc before 13 makes wrong code "
    "for AMX; see docs/edge.md)"
)
_WORKER = "moosproxy.proxy.upstreams.llama_cpp.process.worker"


class Child:
    """A running model. window: its tokens. takes_tools, embeds: what its file can do."""

    def __init__(self, process: asyncio.subprocess.Process, loaded: dict[str, Any]) -> None:
        self.window: int = loaded["window"]
        self.takes_tools: bool = loaded["tools"]
        self.embeds: bool = loaded["embeddings"]
        self._process = process
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._given_up = False
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, spec: Spec) -> Child:
        """Raises ModelFault where the model cannot be loaded."""
        # Threads that wait by spinning starve each other as soon as anything else wants a core.
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {"OMP_WAIT_POLICY": "passive", "PYTHONUNBUFFERED": "1", "PYTHONPATH": _path()}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", _WORKER, orjson.dumps(asdict(spec)).decode(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=environment, start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None and process.stderr is not None
            listening = asyncio.create_task(_last_line(process.stderr))
            try:
                loaded = await receive(process.stdout)
                # The stream ends with the process and no sooner: uvloop leaves it a second way to write there.
                complaint = await listening if loaded is None else ""
            finally:
                listening.cancel()
            if loaded is None:
                end = await _end(process)
                said = f" ({complaint})" if complaint else ""
                raise ModelFault("crashed", f"llama.cpp did not survive loading {spec.path}: {end}{said}")
            if loaded["event"] == "fault":
                raise ModelFault(loaded["kind"], loaded["message"])
        except BaseException:
            await _close(process)
            raise
        return cls(process, loaded)

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return not self._reading.done()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """The one event that answers. Raises ModelFault."""
        async with aclosing(self.events(message)) as events:
            async for event in events:
                return event
        raise ModelFault("crashed", "the model did not answer")

    async def events(self, message: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The events that answer, up to the last. Raises ModelFault.

        Closing the generator early cancels the work, and returns when the model has let go of it.
        """
        number = next(self._numbers)
        self._send({**message, "id": number})  # before the try: what was never sent cannot be cancelled
        queue = self._asked[number] = asyncio.Queue()
        ended = False
        try:
            while not ended:
                event = await queue.get()
                ended = event["event"] in _LAST
                if event["event"] == "fault":
                    raise ModelFault(event["kind"], event["message"], event.get("param"))
                yield event
        finally:
            if not ended and self.alive:
                await self._cancel(number, queue)
            del self._asked[number]

    async def close(self) -> None:
        """Ends the process; what it was doing is lost."""
        await _close(self._process)
        await asyncio.wait([self._reading])

    async def _cancel(self, number: int, queue: asyncio.Queue[dict[str, Any]]) -> None:
        """Returns once the work has stopped. A process that does not stop is ended: others wait for it."""
        self._send({"op": "cancel", "id": number})
        try:
            async with asyncio.timeout(_CANCEL_S):
                while (await queue.get())["event"] not in _LAST:
                    pass
        except TimeoutError:
            self._given_up = True
            self._process.kill()
            await asyncio.wait([self._reading])  # so that the next request sees that it has to be started anew

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        if not self.alive or self._process.stdin.is_closing():
            raise ModelFault("crashed", "the model's process has ended; the next request starts it again")
        self._process.stdin.write(pack(message))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while (event := await receive(self._process.stdout)) is not None:
            queue = self._asked.get(event["id"])
            if queue is not None:
                queue.put_nowait(event)
        reason = await _end(self._process)
        if self._given_up:
            reason = "it did not stop when told to, so it was ended; the next request starts it again"
        fault = {"event": "fault", "kind": "crashed", "message": f"the model's process ended: {reason}"}
        for queue in self._asked.values():
            queue.put_nowait(fault)


def _path() -> str:
    """Where this process imports from, and nothing else: not the working directory, which may hold anything."""
    return os.pathsep.join(os.path.abspath(entry) for entry in sys.path)


async def _last_line(stream: asyncio.StreamReader) -> str:
    """Of what the process says until the stream ends."""
    tail = b""
    while data := await stream.read(_TAIL):
        tail = (tail + data)[-_TAIL:]
    lines = tail.decode("utf-8", "replace").split("\n")
    return next((line.strip()[:_LONGEST_LINE] for line in reversed(lines) if line.strip()), "")


async def _end(process: asyncio.subprocess.Process) -> str:
    """How it ended, in words."""
    status = await process.wait()
    if status == -_KILLED:
        return "it was killed, probably for want of memory; lower context or max_memory_mb"
    if status == -signal.SIGILL:
        return f"llama.cpp was built for another processor (illegal instruction); {_REMEDY}"
    if status < 0:
        return f"signal {-status}; if it comes again, llama.cpp's build does not suit the processor: {_REMEDY}"
    return f"status {status}"


async def _close(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()  # it takes this as the order to end
    try:
        async with asyncio.timeout(_CLOSE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
