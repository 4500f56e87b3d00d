"""OpenAI's request bodies to messages for a model's process. Fields that are of no use here are ignored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from moosproxy.proxy.upstreams.local.faults import ModelFault
from moosproxy.proxy.upstreams.local.tool_calls.events import Tool

MAX_ALTERNATIVES = 20
MAX_ANSWERS = 128
_TOKENS = 2**31
"""Beyond any vocabulary, and still a number for everyone on the way."""

_DEEPEST = 200
"""Levels of lists and objects in a field: what comes behind stops soon after."""
_NESTED = ("messages", "tools", "tool_choice", "response_format", "chat_template_kwargs")

# field -> name for the sampler, lowest, highest
_NUMBERS: Mapping[str, tuple[str, float, float]] = {
    "temperature": ("temperature", 0, 2),
    "top_p": ("top_p", 0, 1),
    "min_p": ("min_p", 0, 1),
    "frequency_penalty": ("frequency_penalty", -2, 2),
    "presence_penalty": ("presence_penalty", -2, 2),
    "repetition_penalty": ("repetition_penalty", 0.01, 10),
    "repeat_penalty": ("repetition_penalty", 0.01, 10),
}
_INTEGERS: Mapping[str, tuple[str, int, int]] = {
    "top_k": ("top_k", -1, 1_000_000),
    "seed": ("seed", -(2**63), 2**63 - 1),
}


class Asked(NamedTuple):
    """Generations: what the child is told, and what shapes the answer.

    tools: those that the answer may call. logprobs: whether the answer shows them. usage: whether a stream
    ends with the usage. n: answers to each prompt. prompts: of a completion, which stand in no message yet.
    """

    message: dict[str, Any]
    tools: tuple[Tool, ...]
    logprobs: bool
    stream: bool
    usage: bool
    n: int = 1
    prompts: tuple[str | list[int], ...] = ()

    @property
    def by_prompt(self) -> list[dict[str, Any]]:
        """One message for each prompt."""
        return [{**self.message, "prompt": prompt} for prompt in self.prompts] or [self.message]

    @property
    def all(self) -> list[dict[str, Any]]:
        """One message for each answer, in order. A seed draws each of a prompt's answers differently."""
        out = []
        for message in self.by_prompt:
            for number in range(self.n):
                sampling = message["sampling"]
                if number and "seed" in sampling:
                    sampling = {**sampling, "seed": sampling["seed"] + number}
                out.append({**message, "sampling": sampling})
        return out


def chat(body: dict[str, Any]) -> Asked:
    """/v1/chat/completions. Raises ModelFault."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _wrong("messages", "must be a list of at least one message")
    _refuse_too_deep(body)
    message = _common(body)
    message["messages"] = messages
    for name in ("max_completion_tokens", "max_tokens"):
        if body.get(name) is not None:
            message["max_tokens"] = _integer(body, name, 1, 2**31)
            break
    tools = _tools(body)
    if tools:
        message["tools"] = tools
        message["tool_choice"] = body.get("tool_choice")
        message["parallel_tool_calls"] = body.get("parallel_tool_calls") is not False
    elif body.get("tool_choice") not in (None, "auto", "none"):
        raise _wrong("tool_choice", "asks for a call, but there are no tools; send them, or leave it out")
    options = body.get("chat_template_kwargs")
    if options is not None and not isinstance(options, dict):
        raise _wrong("chat_template_kwargs", "must be an object")
    message["template_options"] = options
    shown = body.get("logprobs") is True
    if shown:
        alternatives = body.get("top_logprobs")
        message["logprobs"] = 0 if alternatives is None else _integer(body, "top_logprobs", 0, MAX_ALTERNATIVES)
    offered = () if body.get("tool_choice") == "none" else tuple(map(Tool.of, tools))
    return Asked(message, offered, shown, *_streaming(body), _answers(body, 1))


def completion(body: dict[str, Any]) -> Asked:
    """/v1/completions. Raises ModelFault."""
    _refuse_too_deep(body)
    prompts = _prompts(body.get("prompt"))
    message = _common(body)
    if body.get("suffix"):
        if not isinstance(body["suffix"], str):
            raise _wrong("suffix", "must be a text")
        message["suffix"] = body["suffix"]
    message["echo"] = body.get("echo") is True
    message["max_tokens"] = 16 if body.get("max_tokens") is None else _integer(body, "max_tokens", 1, 2**31)
    shown = body.get("logprobs") is not None and body.get("logprobs") is not False
    if shown:
        message["logprobs"] = _integer(body, "logprobs", 0, MAX_ALTERNATIVES)
    if shown and message["echo"]:
        raise _wrong("echo", "is not served together with logprobs: a local model has none of the prompt")
    return Asked(message, (), shown, *_streaming(body), _answers(body, len(prompts)), prompts)


def _prompts(given: Any) -> tuple[str | list[int], ...]:
    if isinstance(given, str) or _is_tokens(given):
        return (given,)
    if not isinstance(given, list) or not given or not all(isinstance(p, str) or _is_tokens(p) for p in given):
        raise _wrong("prompt", "must be a text, a list of tokens, or a list of these")
    return tuple(given)


def _answers(body: dict[str, Any], prompts: int) -> int:
    """To each prompt."""
    n = 1 if body.get("n") is None else _integer(body, "n", 1, MAX_ANSWERS)
    if body.get("best_of") not in (None, n):
        raise _wrong("best_of", "must be n: a local model writes no answer that it does not show")
    if n * prompts > MAX_ANSWERS:
        raise _wrong("n", f"asks for {n * prompts} answers with these prompts; at most {MAX_ANSWERS} are written")
    return n


def embeddings(body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """/v1/embeddings: the message, and whether the vectors are wanted as base64. Raises ModelFault."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) or _is_tokens(given) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) or _is_tokens(t) for t in texts):
        raise _wrong("input", "must be a text, a list of tokens, or a list of these")
    if body.get("dimensions") is not None:
        raise _wrong("dimensions", "is not served by a local model: its vectors have one length")
    form = body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise _wrong("encoding_format", "must be float or base64")
    return {"op": "embed", "input": texts}, form == "base64"


def _common(body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"op": "generate", "sampling": _sampling(body), "stop": _stops(body)}
    form = body.get("response_format")
    if form is not None and not isinstance(form, dict):
        raise _wrong("response_format", "must be an object")
    message["response_format"] = form
    grammar = body.get("grammar")
    if grammar is not None and not isinstance(grammar, str):
        raise _wrong("grammar", "must be a text in llama.cpp's GBNF")
    message["grammar"] = grammar
    return message


def _sampling(body: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for field, (name, low, high) in _NUMBERS.items():
        value = body.get(field)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise _wrong(field, f"must be a number between {low:g} and {high:g}")
        out[name] = value
    for field, (name, least, most) in _INTEGERS.items():
        if body.get(field) is not None:
            out[name] = _integer(body, field, least, most)
    if "top_k" in out:
        out["top_k"] = max(0, out["top_k"])
    biases = body.get("logit_bias")
    if biases is not None:
        out["logit_bias"] = _biases(biases)
    return out


def _biases(given: Any) -> dict[str, float]:
    try:
        biases = {str(int(token)): float(bias) for token, bias in given.items()}
    except (AttributeError, OverflowError, TypeError, ValueError):
        raise _wrong("logit_bias", "must map token numbers to numbers") from None
    if not all(-100 <= bias <= 100 for bias in biases.values()):
        raise _wrong("logit_bias", "must hold numbers between -100 and 100")
    return biases


def _stops(body: dict[str, Any]) -> list[str]:
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops):
        raise _wrong("stop", "must be a text or a list of texts")
    return stops


def _streaming(body: dict[str, Any]) -> tuple[bool, bool]:
    options = body.get("stream_options")
    usage = isinstance(options, dict) and options.get("include_usage") is True
    return body.get("stream") is True, usage


def _integer(body: dict[str, Any], name: str, low: int, high: int) -> int:
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _wrong(name, f"must be a whole number between {low} and {high}")
    return value


def _tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    given = body.get("tools")
    if given is None:
        return []
    if not isinstance(given, list) or not all(_is_tool(entry) for entry in given):
        raise _wrong("tools", "must be a list of functions with names; a local model knows no other kind")
    return given


def _is_tool(entry: Any) -> bool:
    function = entry.get("function") if isinstance(entry, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return False
    return isinstance(function.get("parameters") or {}, dict)


def _is_tokens(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(t, int) and not isinstance(t, bool) and abs(t) < _TOKENS for t in value)
    )


def _refuse_too_deep(body: dict[str, Any]) -> None:
    for name in _NESTED:
        level = [body.get(name)]
        for _ in range(_DEEPEST + 1):
            level = [entry for value in level for entry in _entries(value)]
        if level:
            raise _wrong(name, f"is nested too deeply: at most {_DEEPEST} levels of lists and objects are read")


def _entries(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _wrong(name: str, what: str) -> ModelFault:
    return ModelFault("request", f"{name} {what}", name)
