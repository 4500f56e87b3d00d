#!/usr/bin/env bash
# aiohttp 3.14.5, the client.
# Most expect: it sends a GET again by itself if a kept connection turns out to be dead, so a server or load balancer
#   that forgot its connections costs one more round trip.
# Seen: it does so once, and takes the second connection from the pool like the first. Two that died together fail
#   the request; one does not. How busy the client was a minute ago decides whether this request fails.
# So: after such a failure, try again with a connection of your own making (a second session, or force_close).
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"${PYTHON:-python3}" -m venv "$room/venv" || exit 2
"$room/venv/bin/pip" install -q aiohttp==3.14.5 || exit 2
cd "$room"
venv/bin/python - <<'PYTHON'
import asyncio
import sys

import aiohttp


async def get_after(idle):
    """What a GET gives when the pool holds this many connections that the server has forgotten."""
    forgotten = asyncio.Event()
    together = asyncio.Barrier(idle)  # so that each of the first requests has a connection of its own

    async def serve(reader, writer):
        old = not forgotten.is_set()
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            if old and forgotten.is_set():
                return writer.transport.abort()
            if old:
                await together.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def get():
        async with session.get(url) as answer:
            return await answer.text()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    session = aiohttp.ClientSession()
    await asyncio.gather(*(get() for _ in range(idle)))
    forgotten.set()
    try:
        return await get()
    except aiohttp.ClientError as error:
        return type(error).__name__
    finally:
        server.close()
        await session.close()


seen = [asyncio.run(get_after(idle)) for idle in (1, 2, 3)]
print(f"aiohttp {aiohttp.__version__}, a GET while the pool holds 1, 2 or 3 forgotten connections")
print("expected: ok, ok, ok")
print(f"seen: {', '.join(seen)}")
if seen[0] != "ok" or "ok" in seen[1:]:
    sys.exit("changed: the number of dead connections no longer decides")
PYTHON
