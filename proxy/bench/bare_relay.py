"""The plainest relay that can be made of uvicorn and aiohttp: what passes, passes, and nothing else is done.

The yardstick of the proxy's own path. Run as a program:
`python -m moosproxy.proxy.bench.bare_relay PORT UPSTREAM_PORT`.
"""

from __future__ import annotations

import sys

import aiohttp
import uvicorn
from starlette.types import Receive, Scope, Send

_OURS = frozenset({"host", "content-length"})


class BareRelay:
    """Plain ASGI."""

    def __init__(self, upstream_port: int) -> None:
        self._base = f"http://127.0.0.1:{upstream_port}"
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        fields = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        headers = [(name, value) for name, value in fields if name not in _OURS]
        url = self._base + scope["path"]
        async with self._session.request(scope["method"], url, data=body, headers=headers) as answer:
            passed = [(name, value) for name, value in answer.raw_headers if name.lower() != b"transfer-encoding"]
            await send({"type": "http.response.start", "status": answer.status, "headers": passed})
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(
        BareRelay(int(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="error",
        access_log=False,
        lifespan="off",
    )
