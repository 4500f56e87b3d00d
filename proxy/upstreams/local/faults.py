"""What goes wrong with a local model, in words for the caller. No text quotes a request."""

from __future__ import annotations

from collections.abc import Iterable


class ModelFault(Exception):
    """kind: what it means over HTTP, see `KINDS`. param: the field of the request that is at fault."""

    def __init__(self, kind: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param


FILE_MISSING = "model_file_missing"
# kind -> status, OpenAI's type, code
KINDS: dict[str, tuple[int, str, str | None]] = {
    "request": (400, "invalid_request_error", "invalid_value"),
    "context": (400, "invalid_request_error", "context_length_exceeded"),
    "unknown_model": (404, "invalid_request_error", "model_not_found"),
    # Not 5xx: clients would try again, and no file comes by itself.
    FILE_MISSING: (404, "invalid_request_error", FILE_MISSING),
    "unsupported": (404, "invalid_request_error", "unsupported_endpoint"),
    "queue": (429, "rate_limit_error", "queue_full"),
    "file": (503, "api_error", "model_unavailable"),
    "memory": (503, "api_error", "out_of_memory"),
    "crashed": (503, "api_error", "model_crashed"),
    "soft": (400, "invalid_request_error", "soft_compression_failed"),
}


def unknown_model(names: Iterable[str]) -> ModelFault:
    """names: what there is."""
    text = f"this upstream has no model of that name; it has {', '.join(names) or 'none whose file is there'}"
    return ModelFault("unknown_model", text, "model")


def too_long(prompt: int, window: int) -> ModelFault:
    """OpenAI's complaint about a prompt that leaves no room for an answer, with the numbers."""
    return ModelFault(
        "context",
        f"This model's maximum context length is {window} tokens, but your prompt has {prompt} tokens. Shorten "
        "the prompt, raise the model's context in the policies, or allow fit_context.",
        "messages",
    )
