"""A server that takes `prompt_embeds` on its completions API as vLLM documents it, over a small real model."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tokenizers.decoders import DecodeStream
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast


class PromptEmbedsServer:
    """seen: the bodies that came, with the decoded tensor under `tensor`. keys: of the requests."""

    def __init__(self, folder: Path) -> None:
        self._model = AutoModelForCausalLM.from_pretrained(folder)
        self._tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        self.seen: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.app = Starlette(routes=[Route("/v1/completions", self._complete, methods=["POST"])])

    async def _complete(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.keys.append(request.headers.get("authorization"))
        self.seen.append(body)
        if body["model"] == "busy":
            return JSONResponse({"error": {"message": "no place", "type": "overloaded"}}, 503)
        try:
            embeds = self._read(body)
        except (ValueError, binascii.Error) as fault:
            return JSONResponse({"error": {"message": str(fault), "type": "BadRequestError"}}, 400)
        assert body["stream"] is True
        return StreamingResponse(self._events(body, embeds), media_type="text/event-stream")

    def _read(self, body: dict[str, Any]) -> torch.Tensor:
        """(1, positions, width). As vLLM: one of three precisions, two dimensions, the model's own width."""
        if "prompt_embeds" not in body:
            ids = torch.tensor([body["prompt"]])
            return self._model.get_input_embeddings()(ids)
        data = base64.b64decode(body["prompt_embeds"], validate=True)
        tensor = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
        if tensor.dtype not in (torch.float32, torch.bfloat16, torch.float16) or tensor.dim() != 2:
            raise ValueError("prompt_embeds must be a matrix of floating-point numbers")
        if tensor.shape[1] != self._model.config.hidden_size:
            raise ValueError("prompt_embeds have another width than the model")
        body["tensor"] = tensor
        return tensor[None].to(self._model.dtype)

    async def _events(self, body: dict[str, Any], embeds: torch.Tensor) -> AsyncIterator[bytes]:
        count, prompt = 0, embeds.shape[1]
        reason = "length"
        decoder = DecodeStream(skip_special_tokens=True)
        for _ in range(body["max_tokens"]):
            with torch.no_grad():
                logits = self._model(inputs_embeds=embeds).logits[0, -1].float().clone()
            for token, bias in body.get("logit_bias", {}).items():
                logits[int(token)] += bias
            token = int(logits.argmax())
            if token == self._model.config.eos_token_id:
                reason = "stop"
                break
            count += 1
            text = decoder.step(self._tokenizer.backend_tokenizer, token) or ""
            yield _event({"choices": [_choice(text)]})
            await asyncio.sleep(0.001)  # as long as it takes to see that the client has gone
            embeds = torch.cat([embeds, self._model.get_input_embeddings()(torch.tensor([[token]]))], dim=1)
        yield _event({"choices": [_choice("", reason)]})
        usage = {"prompt_tokens": prompt, "completion_tokens": count, "total_tokens": prompt + count}
        yield _event({"choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"


@contextmanager
def running(app: Any) -> Iterator[str]:
    """The address of an application under uvicorn, with /v1."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(15)


def _choice(text: str, reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": reason, "stop_reason": None}


def _event(fields: dict[str, Any]) -> bytes:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**head, **fields}).encode() + b"\n\n"
