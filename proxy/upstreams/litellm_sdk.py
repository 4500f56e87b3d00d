"""Kind `litellm`: every provider that does not speak OpenAI's wire format, by way of the litellm SDK.

Importing this module is cheap; litellm itself (a second, 165 MB; the extra `providers`) is imported with the first
call.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import orjson

from moosproxy.policies.extras import missing_extra
from moosproxy.policies.model import Upstream
from moosproxy.proxy.errors import BadRequest
from moosproxy.proxy.log import LOG
from moosproxy.proxy.upstreams.base import (
    Answer,
    BodyAnswer,
    Call,
    EventAnswer,
    OwnError,
    UpstreamFault,
    error_answer,
    json_answer,
)
from moosproxy.proxy.upstreams.litellm_chunks import Chunks, whole
from moosproxy.proxy.upstreams.litellm_request import parsed

# Fields that litellm takes by name. Its other arguments (api_base, api_key, mock_response, callbacks, a cloud's
# endpoint and credentials...) must never be a caller's to set: this is a list of what may pass.
_CHAT_FIELDS = frozenset(
    {
        *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "messages"),
        *("max_completion_tokens", "max_tokens", "modalities", "n", "parallel_tool_calls", "prediction"),
        *("presence_penalty", "prompt_cache_key", "reasoning_effort", "response_format", "safety_identifier"),
        *("seed", "service_tier", "stop", "store", "stream", "stream_options", "temperature", "tool_choice"),
        *("tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options"),
        *("cache_control", "min_p", "repetition_penalty", "safety_settings", "thinking", "top_k"),
    }
)
_EMBEDDING_FIELDS = frozenset({"dimensions", "encoding_format", "input", "user"})
_OWN_FIELDS = frozenset({"model", "extra_body", "extra_headers", "metadata"})

_CODES: Mapping[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "permission_denied"),
    404: ("invalid_request_error", "model_not_found"),
    408: ("api_error", "timeout"),
    413: ("invalid_request_error", "request_too_large"),
    422: ("invalid_request_error", None),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def import_litellm() -> ModuleType:
    """The SDK, made ready. Takes seconds the first time: call it in a thread. Raises ImportError."""
    # Before the import: else it fetches a price list from the network, and takes over tiktoken's cache folder.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    if "TIKTOKEN_CACHE_DIR" in os.environ:
        os.environ.setdefault("CUSTOM_TIKTOKEN_CACHE_DIR", os.environ["TIKTOKEN_CACHE_DIR"])
    import litellm
    from litellm.litellm_core_utils import core_helpers

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = True  # a field that the provider does not know must not fail the request
    # What it does not know becomes `stop`, and an answer that was cut off passes for a whole one.
    core_helpers._FINISH_REASON_MAP.setdefault("model_context_window_exceeded", "length")
    module: ModuleType = litellm
    return module


class LitellmClient:
    """Sends calls to one provider."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        limits = upstream.timeouts
        self._timeout = limits.total_s or limits.first_byte_s
        self._connection: dict[str, Any] = dict(upstream.params)
        if upstream.base_url is not None:
            self._connection["api_base"] = upstream.base_url
        if upstream.api_key is not None:
            self._connection["api_key"] = upstream.api_key.get_secret_value()
        if upstream.headers:
            own = {name: value.get_secret_value() for name, value in upstream.headers.items()}
            self._connection["extra_headers"] = own

    async def send(self, call: Call) -> Answer:
        """Raises UpstreamFault. Errors of the provider come back as answers in OpenAI's form."""
        if call.method == "GET" and call.path == "/models":
            return _models(sorted(set(self._upstream.model_map)))
        if call.method == "GET" and call.path.startswith("/models/"):
            return json_answer(200, orjson.dumps(_described(unquote(call.path.removeprefix("/models/")))))
        if call.method != "POST" or call.path not in ("/chat/completions", "/embeddings"):
            return _not_served(call)
        try:
            sdk = await asyncio.to_thread(import_litellm)
        except ImportError as missing:
            return self._not_installed(missing)
        if not self._names_provider(sdk, call.model):
            return self._no_provider()
        try:
            request = parsed(call.body)
        except BadRequest as fault:
            return OwnError(fault.told)
        try:
            if call.path == "/embeddings":
                return _whole(await sdk.aembedding(**self._arguments(sdk, request, call.model, _EMBEDDING_FIELDS)))
            answer = await sdk.acompletion(**self._arguments(sdk, request, call.model, _CHAT_FIELDS))
        except Exception as fault:
            return self._error(fault)
        if request.get("stream"):
            return EventAnswer(self._events(answer), _closer(answer))
        return _whole(answer)

    def _arguments(
        self, sdk: ModuleType, request: dict[str, Any], model: str | None, known: frozenset[str]
    ) -> dict[str, Any]:
        """The SDK's arguments. Other fields go along where the provider's own wire format is OpenAI's."""
        named = {name: value for name, value in request.items() if name in known}
        others = {name: value for name, value in request.items() if name not in known and name not in _OWN_FIELDS}
        if others and model is not None and _speaks_openai(sdk, model):
            named["extra_body"] = others
        elif others:
            LOG.info("fields left out", extra={"fields": {"upstream": self._upstream.name, "count": len(others)}})
        # Retries are the caller's and the route's business: here they would hide Retry-After.
        fixed = {
            "model": model,
            "timeout": self._timeout,
            "max_retries": 0,
            "num_retries": 0,
            "_skip_mcp_handler": True,
        }
        return {**named, **self._connection, **fixed}

    def _names_provider(self, sdk: ModuleType, model: str | None) -> bool:
        given = self._connection.get("custom_llm_provider")
        try:
            sdk.get_llm_provider(model or "", custom_llm_provider=given, api_base=self._connection.get("api_base"))
        except Exception:  # litellm's own error is a page about its own settings
            return False
        return True

    def _no_provider(self) -> BodyAnswer:
        text = (
            f"upstream {self._upstream.name!r}: this model's name does not say which provider has it. Whoever "
            "runs the proxy sets model_prefix (such as anthropic/) or model_map of this upstream."
        )
        return error_answer(404, text, "invalid_request_error", "model_not_found")

    def _not_installed(self, missing: ImportError) -> BodyAnswer:
        own, reason = self._upstream.name, missing_extra("litellm") or f"litellm cannot be imported: {missing}"
        LOG.warning("litellm not installed", extra={"fields": {"upstream": own, "reason": reason}})
        return error_answer(503, f"upstream {own!r}: {reason}", "api_error", "provider_not_installed")

    def _error(self, fault: Exception) -> BodyAnswer:
        """The provider's error in OpenAI's form. Raises UpstreamFault where no provider answered."""
        status, name, own = getattr(fault, "status_code", None), type(fault).__name__, self._upstream.name
        if name == "Timeout" or isinstance(fault, TimeoutError):
            text = f"upstream {own!r}: no answer within {self._timeout:g} s; see its timeouts"
            raise UpstreamFault("timeout", text) from fault
        if _never_answered(fault) or not isinstance(status, int) or not 400 <= status < 600:
            LOG.warning("litellm failed", extra={"fields": {"upstream": own, "reason": name}})
            text = f"upstream {own!r}: no provider reached ({name}); check model_prefix, base_url and api_key"
            raise UpstreamFault("connect", text) from fault
        kind, code = _CODES.get(status, ("api_error", None))
        message = str(getattr(fault, "message", "") or fault)
        if _own_failure(fault, message):
            LOG.warning("litellm failed", extra={"fields": {"upstream": own, "reason": name}})
            raise UpstreamFault("protocol", f"upstream {own!r}: its answer is no chat completion") from fault
        answer = error_answer(status, message, kind, code)
        retry_after = _retry_after(fault)
        if retry_after is not None:
            answer.headers.append((b"retry-after", retry_after))
        return answer

    async def _events(self, chunks: Any) -> AsyncGenerator[bytes, None]:
        """OpenAI's event stream, ended by [DONE]; a failure on the way becomes an error event."""
        shape, own = Chunks(), self._upstream.name
        try:
            async for chunk in chunks:
                events = shape.shaped(chunk)
                if shape.ended and not _told_why(chunks):
                    break
                for event in events:
                    yield _event(event)
        except Exception as fault:
            LOG.warning("litellm stream broke off", extra={"fields": {"reason": type(fault).__name__}})
            raise UpstreamFault("broken", f"upstream {own!r}: the answer broke off") from fault
        if not (shape.ended and _told_why(chunks)):
            raise UpstreamFault("broken", f"upstream {own!r}: its answer ended without saying why")
        for event in shape.missing():
            yield _event(event)
        yield b"data: [DONE]\n\n"


def _event(event: dict[str, Any]) -> bytes:
    return b"data: " + _written(event) + b"\n\n"


def _written(value: dict[str, Any]) -> bytes:
    """Lone surrogates become escapes, as they come from other upstreams."""
    try:
        return orjson.dumps(value, default=str)
    except TypeError:
        return json.dumps(value, default=str).encode()


def _own_failure(fault: Exception, message: str) -> bool:
    """Whether litellm failed at what the provider had answered: that it tells as status 500, with its stack."""
    if "Traceback (most recent call last)" in message or 'File "' in message:
        return True
    cause: BaseException | None = fault
    while cause is not None:
        if type(cause).__name__ == "HTTPStatusError" or type(cause).__module__.startswith("openai"):
            return False
        cause = cause.__cause__ or cause.__context__
    return getattr(fault, "status_code", None) == 500


def _told_why(chunks: Any) -> bool:
    """Whether the provider said why its answer ends: where a stream is cut off, litellm makes up a `stop`."""
    told = ("received_finish_reason", "intermittent_finish_reason")
    return any(getattr(chunks, name, None) for name in told)


def _never_answered(fault: BaseException) -> bool:
    """Whether a connection that failed is at the root of an error; litellm reports that as status 500."""
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, OSError) or type(cause).__name__ in ("APIConnectionError", "ConnectError"):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _speaks_openai(sdk: ModuleType, model: str) -> bool:
    try:
        provider = sdk.get_llm_provider(model)[1]
    except Exception:  # an unknown provider: the call itself will say so
        return False
    return provider in ("openai", "azure") or provider in sdk.openai_compatible_providers


def _whole(answer: Any) -> BodyAnswer:
    return json_answer(200, _written(whole(answer)))


def _closer(answer: Any) -> Callable[[], Coroutine[Any, Any, None]]:
    async def close() -> None:
        stream: Any = getattr(answer, "completion_stream", None)
        if hasattr(stream, "aclose"):
            await stream.aclose()

    return close


async def close_clients() -> None:
    """Closes the connections that litellm keeps for the whole process."""
    if "litellm" in sys.modules:
        from litellm.llms.custom_httpx.async_client_cleanup import close_litellm_async_clients

        await close_litellm_async_clients()


def _retry_after(fault: Exception) -> bytes | None:
    response = getattr(fault, "response", None)
    headers = getattr(fault, "litellm_response_headers", None) or getattr(response, "headers", None) or {}
    value = str(headers.get("retry-after", ""))
    return value.encode() if value.isascii() and value.isprintable() and value else None


def _models(names: list[str]) -> BodyAnswer:
    return json_answer(200, orjson.dumps({"object": "list", "data": list(map(_described, names))}))


def _described(name: str) -> dict[str, Any]:
    """A model that the route takes; whether the provider has it, it says when asked."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "litellm"}


def _not_served(call: Call) -> BodyAnswer:
    return error_answer(
        404,
        "a litellm upstream serves chat completions, responses, messages, embeddings and models, "
        f"not {call.method} /v1{call.path}",
        "invalid_request_error",
        "unsupported_endpoint",
    )
