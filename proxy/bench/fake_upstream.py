"""An OpenAI-compatible upstream that answers at once with canned bytes: whatever time is left is the proxy's.

Run as a program: `python -m moosproxy.proxy.bench.fake_upstream PORT`.
"""

from __future__ import annotations

import sys

import orjson
import uvicorn
from starlette.types import Receive, Scope, Send

STREAM_CHUNKS = 52  # a role, fifty pieces of text, an end

_HEAD = {"id": "chatcmpl-bench", "created": 1700000000, "model": "bench"}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 50, "total_tokens": 59}


def _plain() -> bytes:
    message = {"role": "assistant", "content": "word " * 50}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return orjson.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE})


def _events() -> list[bytes]:
    deltas = [{"role": "assistant", "content": ""}, *({"content": "word "} for _ in range(STREAM_CHUNKS - 2)), {}]
    out: list[bytes] = []
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
        event = {**_HEAD, "object": "chat.completion.chunk", "choices": [choice]}
        out.append(b"data: " + orjson.dumps(event) + b"\n\n")
    out.append(b"data: [DONE]\n\n")
    return out


class FakeUpstream:
    """Plain ASGI."""

    def __init__(self) -> None:
        self._plain = _plain()
        self._events = _events()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if b'"stream":true' in body.replace(b" ", b""):
            await self._stream(send)
        else:
            length = str(len(self._plain)).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", length)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": self._plain})

    async def _stream(self, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for event in self._events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(
        FakeUpstream(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="error",
        access_log=False,
        lifespan="off",
    )
