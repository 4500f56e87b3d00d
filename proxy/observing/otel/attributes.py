"""What stands on spans: OpenTelemetry's names for HTTP and generative AI, and `moos.` for the rest."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from moosproxy.policies.model import Upstream
from moosproxy.proxy.observing.names import model_name
from moosproxy.proxy.observing.record import Record

Attributes = dict[str, str | bool | int | float]

# What the conventions know an endpoint's work as; whatever else is relayed is a plain call.
_OPERATIONS = {
    "/chat/completions": "chat",
    "/completions": "text_completion",
    "/embeddings": "embeddings",
    "/messages": "chat",
    "/responses": "chat",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def server_name(record: Record) -> str:
    """Of the span of a request."""
    return f"{method(record)} {record.endpoint}"


def method(record: Record) -> str:
    """The request's, which may be any word, as the conventions name it."""
    return record.method if record.method in _METHODS else "_OTHER"


def of_request(record: Record) -> Attributes:
    """Of a record that is complete. Times in seconds."""
    told: dict[str, str | bool | int | float | None] = {
        "http.request.method": method(record),
        "http.route": record.endpoint,
        "http.response.status_code": record.status,
        "moos.request_id": record.request_id,
        "moos.door": record.door,
        "moos.team": record.team,
        "moos.key_id": record.key_id,
        "moos.policy": record.policy,
        "moos.route": record.route,
        "moos.model": model_name(record.model) or None,
        "moos.upstream": record.upstream,
        "moos.proxy_s": record.proxy_s,
        "moos.upstream_s": record.upstream_s or None,
        "moos.disconnected": record.disconnected or None,
    }
    found: Attributes = {name: value for name, value in told.items() if value is not None}
    if record.parts:
        found |= of_compression(record)
    elif record.unseen:
        found["moos.parts.endpoint"] = 1
    return found


def of_compression(record: Record) -> Attributes:
    """Tokens before and as sent, and the number of texts by outcome: compressed, or why not."""
    found: Attributes = {
        "moos.tokens.before": record.tokens_before,
        "moos.tokens.after": record.tokens_after,
        "moos.tokens.estimated": record.tokens_estimated,
        "moos.cache.hits": len([part for part in record.parts if part.cache]),
        "moos.compression_s": record.compression_ms / 1000,
    }
    if record.shadow_after is not None:
        found["moos.tokens.shadow"] = record.shadow_after
    return found | {f"moos.parts.{outcome}": number for outcome, number in record.outcomes.items()}


def of_call(record: Record, upstream: Upstream, model: str | None) -> Attributes:
    """Of a call that is about to be made. model: as the upstream is asked for it."""
    found: Attributes = {"moos.upstream": upstream.name, **_server(upstream.base_url)}
    operation = _OPERATIONS.get(record.endpoint)
    if operation is None:
        return found | {"http.request.method": method(record)}
    found |= {"gen_ai.operation.name": operation, "gen_ai.provider.name": upstream.kind}
    if model:
        found["gen_ai.request.model"] = model_name(model)
    return found


@lru_cache(maxsize=256)
def _server(base_url: str | None) -> Attributes:
    """Host and port; what else an address may hold is nobody's business."""
    try:
        url = urlsplit(base_url or "")
        host, port = url.hostname, url.port
    except ValueError:
        return {}
    if host is None:
        return {}
    return {"server.address": host, "server.port": port or (80 if url.scheme == "http" else 443)}


def client_name(record: Record, told: Attributes) -> str:
    """Of the span of a call."""
    operation = told.get("gen_ai.operation.name")
    if operation is None:
        return server_name(record)
    return f"{operation} {told.get('gen_ai.request.model', '')}".rstrip()


def of_answer(record: Record) -> Attributes:
    """Of a call whose answer has been passed on."""
    found: Attributes = {"http.response.status_code": record.status}
    if record.endpoint in _OPERATIONS:
        found["gen_ai.request.stream"] = record.stream
    usage = record.usage
    if usage is None:
        return found
    if usage.model:
        found["gen_ai.response.model"] = model_name(usage.model)
    found["gen_ai.usage.input_tokens"] = usage.prompt
    found["gen_ai.usage.output_tokens"] = usage.completion
    found["gen_ai.usage.cache_read.input_tokens"] = usage.cached
    if usage.written:
        found["gen_ai.usage.cache_creation.input_tokens"] = usage.written
    if usage.reasoning:
        found["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning
    return found
