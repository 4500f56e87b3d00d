"""Kind `echo`: answers with the prompt that it would have sent. No model is asked."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

from moosproxy.proxy.bodies import any_json
from moosproxy.proxy.upstreams.base import Answer, BodyAnswer, Call, EventAnswer, error_answer, json_answer

_WORDS_PER_CHUNK = 16


class EchoClient:
    """Serves chat completions and the list of models; everything else is a clear error."""

    def __init__(self, model: str = "echo") -> None:
        self._model = model

    async def send(self, call: Call) -> Answer:
        """Never raises."""
        if call.method == "POST" and call.path == "/chat/completions":
            return self._chat(any_json.loads(call.body))
        if call.method == "GET" and call.path == "/models":
            return json_answer(200, any_json.dumps({"object": "list", "data": [self._describe(self._model)]}))
        if call.method == "GET" and call.path.startswith("/models/"):
            return json_answer(200, any_json.dumps(self._describe(call.path.removeprefix("/models/"))))
        return _not_served(call)

    def _describe(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": 0, "owned_by": "moosproxy"}

    def _chat(self, request: dict[str, Any]) -> Answer:
        text = transcript(request.get("messages", []))
        head = {
            "id": f"chatcmpl-echo-{time.time_ns():x}",
            "created": int(time.time()),
            "model": request.get("model") or self._model,
        }
        usage = _usage(text)
        if request.get("stream"):
            options = request.get("stream_options")
            wanted = isinstance(options, dict) and bool(options.get("include_usage"))
            return EventAnswer(_chunks(head, text, usage if wanted else None))
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        answer = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
        return json_answer(200, any_json.dumps(answer))


def transcript(messages: list[Any]) -> str:
    """The text of every message as it would have gone out; of a single message the bare text."""
    shown = [(message.get("role", "?"), _text(message.get("content"))) for message in messages]
    if len(shown) == 1:
        return shown[0][1]
    return "\n\n".join(f"[{role}]\n{text}" for role, text in shown)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(
        str(part.get("text", "")) if part.get("type") == "text" else f"<{part.get('type')}>"
        for part in content
        if isinstance(part, dict)
    )


def _usage(text: str) -> dict[str, int]:
    """A rough count (four bytes are a token): there is no model here whose tokenizer could be asked."""
    tokens = -(-len(text.encode("utf-8", "replace")) // 4)
    return {"prompt_tokens": tokens, "completion_tokens": tokens, "total_tokens": 2 * tokens}


async def _chunks(head: dict[str, Any], text: str, usage: dict[str, int] | None) -> AsyncGenerator[bytes, None]:
    def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _event({**head, "object": "chat.completion.chunk", "choices": [choice]})

    yield event({"role": "assistant", "content": ""})
    words = text.split(" ")
    for start in range(0, len(words), _WORDS_PER_CHUNK):
        piece = " ".join(words[start : start + _WORDS_PER_CHUNK])
        yield event({"content": piece if start == 0 else " " + piece})
    yield event({}, "stop")
    if usage is not None:
        yield _event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + any_json.dumps(value) + b"\n\n"


def _not_served(call: Call) -> BodyAnswer:
    return error_answer(
        404,
        f"the echo upstream serves chat completions and models only, not {call.method} /v1{call.path}; "
        "set OPENAI_API_KEY or configure an upstream in the policies",
        "invalid_request_error",
        "unsupported_endpoint",
    )
