#!/usr/bin/env bash
# litellm 1.106.2, as `pip install litellm` leaves it.
# Most expect: the three doors of the SDK (acompletion, aresponses, anthropic.messages.acreate) work on the same install, since
#   only the proxy server has an extra.
# Seen: acompletion answers. aresponses ends with "No module named 'mcp'" (as an APIConnectionError), though no tool is given;
#   the stream of anthropic.messages ends with "No module named 'fastapi'", the server's framework, and with that installed
#   others of the server's packages are missed in turn.
# So: whoever bridges Responses or Messages through the SDK installs litellm[proxy], or maps onto acompletion.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"${PYTHON:-python3}" -m venv "$room/venv" || exit 2
"$room/venv/bin/pip" install -q litellm==1.106.2 || exit 2
cd "$room"
LITELLM_LOCAL_MODEL_COST_MAP=True venv/bin/python - 2> /dev/null <<'PYTHON'
import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EVENTS = {
    "message_start": {"message": {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [],
                                  "usage": {"input_tokens": 1, "output_tokens": 1}}},
    "content_block_start": {"index": 0, "content_block": {"type": "text", "text": ""}},
    "content_block_delta": {"index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
    "content_block_stop": {"index": 0},
    "message_delta": {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    "message_stop": {},
}
CHAT = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}]}


class Provider(BaseHTTPRequestHandler):
    """Answers chat completions, and messages as a stream."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        chat = self.path.endswith("/chat/completions")
        stream = "".join(f"event: {kind}\ndata: {json.dumps({'type': kind, **rest})}\n\n" for kind, rest in EVENTS.items())
        body = (json.dumps(CHAT) if chat else stream).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json" if chat else "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Silent."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
import litellm

litellm.suppress_debug_info = True
root = f"http://127.0.0.1:{server.server_port}"
hello = [{"role": "user", "content": "Hello."}]


async def said(call):
    """The outcome in a few words."""
    try:
        answer = await call
        if hasattr(answer, "__aiter__"):
            return f"{len([part async for part in answer])} parts"
        return answer.choices[0].message.content
    except Exception as fault:
        found = str(fault).rpartition("No module named ")
        return f"{type(fault).__name__}: No module named {found[2][:12].strip()}" if found[1] else repr(fault)[:90]


async def main():
    chat = await said(litellm.acompletion("openai/m", hello, api_base=f"{root}/v1", api_key="sk-none"))
    responses = await said(litellm.aresponses("Hello.", "openai/m", api_base=f"{root}/v1", api_key="sk-none"))
    messages = await said(litellm.anthropic.messages.acreate(
        max_tokens=9, messages=hello, model="anthropic/claude-3-5-sonnet-20241022", stream=True, api_base=root, api_key="sk-none"))
    print("expected: three answers")
    print(f"seen: acompletion {chat}; aresponses {responses}; messages {messages}")
    return chat == "Hello." and "'mcp'" in responses and "'fastapi'" in messages


sys.exit(0 if asyncio.run(main()) else "the doors of the SDK need other packages now, or none")
PYTHON
