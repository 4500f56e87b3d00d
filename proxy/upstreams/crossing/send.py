"""Sends a request of one door through another: there as a chat completion, its answer back in the door's form."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Protocol

from moosproxy.policies.model import Upstream
from moosproxy.proxy.bodies import any_json
from moosproxy.proxy.cache.store import off_loop
from moosproxy.proxy.doors.base import Body
from moosproxy.proxy.errors import BadRequest, ProxyError, Told
from moosproxy.proxy.upstreams.base import (
    Answer,
    Call,
    EventAnswer,
    OwnError,
    UpstreamClient,
    UpstreamFault,
    error_answer,
    json_answer,
    keep,
)
from moosproxy.proxy.upstreams.crossing import counting, messages_request, responses_request
from moosproxy.proxy.upstreams.crossing.chat_stream import chunks
from moosproxy.proxy.upstreams.crossing.fields import Reach
from moosproxy.proxy.upstreams.crossing.messages_answer import MessageWriter
from moosproxy.proxy.upstreams.crossing.parts import ChatReader, Part
from moosproxy.proxy.upstreams.crossing.responses_answer import ResponseWriter
from moosproxy.proxy.upstreams.window import CountsPrompts

# Kinds that have nothing but chat here. litellm's own bridges need packages of its server that it does not install
# (findings/litellm_bridges_need_undeclared_packages.sh), and drop without a word what they cannot map.
_REACHES = {"llama_cpp": Reach(), "transformers": Reach(), "litellm": Reach(images=True, marks=True)}
_SERVER = Reach(images=True)
Mapped = Callable[[Body, Reach], dict[str, Any]]
_LONG_BODY = 256 * 1024
"""Bytes of a body that is mapped in a thread."""
_ERROR_BOUND = 256 * 1024
_OF_THE_BODY = frozenset({b"content-type", b"content-length", b"content-encoding", b"content-md5", b"etag"})
# The chat server knows nothing of them, and its answer must be one that is read here.
_STAY = frozenset({"accept", "accept-encoding", "anthropic-beta", "anthropic-version"})


class Writer(Protocol):
    """Makes a door's answer of a chat completion's parts. Events are told in the published order."""

    def __init__(self, body: Body) -> None: ...

    def feed(self, part: Part) -> Iterator[dict[str, Any]]: ...

    def end(self) -> Iterator[dict[str, Any]]: ...

    def fail(self, message: str) -> Iterator[dict[str, Any]]: ...

    def whole(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Crossing:
    """One door.

    to_chat: a body as a chat completion's. renamed: fields of chat completions, as they are called here.
    counts: where tokens are counted. to_prompt: a body that asks for that. counted: the answer to it.
    """

    path: str
    to_chat: Mapped
    writer: type[Writer]
    renamed: Mapping[str, str]
    counts: str
    to_prompt: Mapped
    counted: Callable[[int], dict[str, Any]]


RESPONSES = Crossing(
    path="/responses",
    to_chat=responses_request.chat_body,
    writer=ResponseWriter,
    renamed={"messages": "input", "max_tokens": "max_output_tokens", "response_format": "text.format"},
    counts="/responses/input_tokens",
    to_prompt=responses_request.chat_body,
    counted=lambda tokens: {"object": "response.input_tokens", "input_tokens": tokens},
)
MESSAGES = Crossing(
    path="/messages",
    to_chat=messages_request.chat_body,
    writer=MessageWriter,
    renamed={"stop": "stop_sequences", "response_format": "output_config.format"},
    counts="/messages/count_tokens",
    to_prompt=messages_request.prompt_body,
    counted=lambda tokens: {"input_tokens": tokens},
)


def crossing_of(upstream: Upstream, call: Call) -> Crossing | None:
    """The mapping that the call needs to be served by the upstream; None where it goes as it is."""
    if call.method != "POST":
        return None
    for root, crossing in (("responses", RESPONSES), ("messages", MESSAGES)):
        if call.path == f"/{root}" or call.path.startswith(f"/{root}/"):
            has = upstream.endpoints
            return crossing if upstream.kind in _REACHES or (has is not None and root not in has) else None
    return None


async def as_chat(upstream: Upstream, call: Call) -> Call:
    """The call as the upstream gets it. Raises BadRequest for what cannot be mapped."""
    crossing = crossing_of(upstream, call)
    if crossing is None or call.path != crossing.path:
        return call
    return (await _mapped(call, crossing.to_chat, upstream))[1]


async def send(client: UpstreamClient, upstream: Upstream, call: Call) -> Answer:
    """Raises UpstreamFault. What cannot be mapped is an answer that names the field."""
    crossing = crossing_of(upstream, call)
    if crossing is None:
        return await client.send(call)
    try:
        if call.path == crossing.counts:
            return await _count(client, crossing, (await _mapped(call, crossing.to_prompt, upstream))[1])
        if call.path != crossing.path:
            text = f"upstream {upstream.name!r} serves {crossing.path} through chat completions, not {call.path}"
            return error_answer(404, text, "invalid_request_error", "unsupported_endpoint")
        body, chat = await _mapped(call, crossing.to_chat, upstream)
    except ProxyError as fault:
        return OwnError(fault.told)
    answer = await client.send(chat)
    try:
        return await _crossed(answer, crossing, body, upstream.name)
    except UpstreamFault as fault:
        raise _named(fault, upstream.name) from fault


async def _mapped(call: Call, mapping: Mapped, upstream: Upstream) -> tuple[dict[str, Any], Call]:
    """The body, which the door has checked to be an object, and the call in its place. Raises BadRequest."""
    reach = _REACHES.get(upstream.kind, _SERVER)

    def work() -> tuple[dict[str, Any], Call]:
        body: dict[str, Any] = any_json.exact(call.body)
        return body, _chat_call(call, mapping(body, reach))

    try:
        return await off_loop(len(call.body) > _LONG_BODY, work)
    except RecursionError:
        raise BadRequest("The request body is nested too deeply.", code="invalid_json") from None


def _named(fault: UpstreamFault, name: str) -> UpstreamFault:
    """The fault with the upstream's name in it."""
    own = f"upstream {name!r}: "
    if fault.message.startswith(own):
        return fault
    return UpstreamFault(fault.reason, own + fault.message, own + fault.detail)


def _chat_call(call: Call, body: dict[str, Any]) -> Call:
    kept = [(_bearer(name, value)) for name, value in call.headers if name not in _STAY]
    headers = [*kept, ("accept-encoding", "identity")]
    return replace(call, path="/chat/completions", query="", headers=headers, body=any_json.dumps(body))


def _bearer(name: str, value: str) -> tuple[str, str]:
    """The caller's own key, where it goes on, as chat servers want it."""
    return ("authorization", f"Bearer {value}") if name == "x-api-key" else (name, value)


async def _count(client: UpstreamClient, crossing: Crossing, chat: Call) -> Answer:
    if isinstance(client, CountsPrompts):
        tokens = await client.prompt_tokens(chat)
        if not isinstance(tokens, int):
            return await _error(tokens, crossing)
    else:
        tokens = counting.tokens(any_json.loads(chat.body))
    return json_answer(200, any_json.dumps(crossing.counted(tokens)))


async def _crossed(answer: Answer, crossing: Crossing, body: dict[str, Any], name: str) -> Answer:
    if answer.status >= 400:
        return await _error(answer, crossing)
    names = dict(answer.headers)
    headers = [header for header in answer.headers if header[0] not in _OF_THE_BODY]
    writer = crossing.writer(body)
    if names.get(b"content-type", b"").startswith(b"text/event-stream"):
        made = EventAnswer(_events(answer, writer, name), answer.close)
        made.headers += headers
        return made
    try:
        told = [_wire(event) for event in _whole(await _read(answer), writer)]
    finally:
        await answer.close()
    if not body.get("stream"):
        return json_answer(answer.status, any_json.dumps(writer.whole()), headers)
    made = EventAnswer(_told(told))  # the server streams nothing, the client wants events all the same
    made.headers += headers
    return made


async def _read(answer: Answer) -> Any:
    data = b""
    while chunk := await answer.read():
        data += chunk
    try:
        return any_json.exact(data)
    except ValueError as fault:
        raise UpstreamFault("protocol", "its answer is no JSON") from fault


def _whole(completion: Any, writer: Writer) -> Iterator[dict[str, Any]]:
    if not isinstance(completion, dict):
        raise UpstreamFault("protocol", "its answer is no chat completion")
    for part in ChatReader().whole(completion):
        yield from writer.feed(part)
    yield from writer.end()


async def _told(events: list[bytes]) -> AsyncGenerator[bytes, None]:
    for event in events:
        yield event


async def _events(answer: Answer, writer: Writer, name: str) -> AsyncGenerator[bytes, None]:
    reader = ChatReader()
    try:
        async with aclosing(chunks(answer)) as found:
            async for chunk in found:
                for part in reader.chunk(chunk):
                    for event in writer.feed(part):
                        yield _wire(event)
        if not reader.ended:
            raise UpstreamFault("broken", "its answer ended without saying why")
        for event in writer.end():
            yield _wire(event)
    except UpstreamFault as fault:
        told = _named(fault, name)
        for event in writer.fail(told.message):
            yield _wire(event)
        raise told from fault
    finally:
        await answer.close()


def _wire(event: dict[str, Any]) -> bytes:
    return b"event: " + str(event["type"]).encode() + b"\ndata: " + any_json.dumps(event) + b"\n\n"


async def _error(answer: Answer, crossing: Crossing) -> OwnError:
    """The upstream's complaint, for the door to put into its own shape, in its own names of fields."""
    if isinstance(answer, OwnError):
        made = OwnError(_renamed(answer.told, crossing))
        extra = answer.headers
    else:
        kept = await keep(answer, _ERROR_BOUND)
        made = OwnError(_renamed(_complaint(kept.status, await kept.read()), crossing))
        extra = kept.headers
    made.headers += [header for header in extra if header[0] not in _OF_THE_BODY]
    return made


def _complaint(status: int, body: bytes) -> Told:
    try:
        found = any_json.loads(body)
    except ValueError:
        found = None
    error = found.get("error", found) if isinstance(found, dict) else None
    error = error if isinstance(error, dict) else {"message": error}
    fields = {
        name: error[name] for name in ("message", "type", "param", "code") if isinstance(error.get(name), str)
    }
    message = fields.get("message") or f"the upstream answered with status {status}"
    kind = fields.get("type") or ("invalid_request_error" if status < 500 else "api_error")
    return Told(status, message, kind, fields.get("param"), fields.get("code"))


def _renamed(told: Told, crossing: Crossing) -> Told:
    first = (told.param or "").partition("[")[0].partition(".")[0]
    here = crossing.renamed.get(first)
    if here is None:
        return told
    # Without its place: items and messages are not counted alike.
    own = told.message.startswith(f"{first} ")
    return told._replace(param=here, message=here + told.message.removeprefix(first) if own else told.message)
