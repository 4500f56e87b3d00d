"""One client per configured upstream, and the order in which a request tries them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Protocol

from moosproxy.policies.model import Upstream
from moosproxy.proxy.errors import ProxyError, UpstreamTimeout, UpstreamUnreachable
from moosproxy.proxy.log import LOG
from moosproxy.proxy.upstreams.base import Answer, Call, OwnError, UpstreamClient, UpstreamFault, keep
from moosproxy.proxy.upstreams.crossing import send as crossing
from moosproxy.proxy.upstreams.echo import EchoClient
from moosproxy.proxy.upstreams.litellm_sdk import LitellmClient, close_clients
from moosproxy.proxy.upstreams.llama_cpp.client import LlamaCppClient
from moosproxy.proxy.upstreams.local.faults import FILE_MISSING
from moosproxy.proxy.upstreams.relay import RelayClient, RelaySession
from moosproxy.proxy.upstreams.transformers.client import TransformersClient
from moosproxy.proxy.upstreams.transformers.embeds_client import PromptEmbedsClient

_KEPT_ERROR = 256 * 1024
_CLIENTS_HELD = 256
CallFor = Callable[[Upstream], Awaitable[Call]]


class Attempts(Protocol):
    """Where calls are counted."""

    def attempt(self, upstream: str, outcome: str, seconds: float) -> None:
        """One call to an upstream."""


class UpstreamPool:
    """Holds the clients: built when an upstream is first used, and anew when its configuration changed."""

    def __init__(self, session: RelaySession, attempts: Attempts, state: Path | None = None) -> None:
        """state: the folder of what is kept between starts, where there is another than the user's own."""
        self._session = session
        self._attempts = attempts
        self._state = state
        self._clients: dict[int, tuple[Upstream, UpstreamClient]] = {}
        self._local: dict[str, list[LlamaCppClient]] = {}
        self._soft: list[TransformersClient] = []

    def client(self, upstream: Upstream) -> UpstreamClient:
        """The client of an upstream; equal upstreams, as after a reload, share one."""
        known = self._clients.get(id(upstream))
        if known is not None and known[0] is upstream:
            return known[1]
        alike = (client for other, client in self._clients.values() if other == upstream)
        client = next(alike, None) or self._build(upstream)
        if len(self._clients) >= _CLIENTS_HELD:
            self._clients.clear()  # reloads leave those of old sets behind
        self._clients[id(upstream)] = (upstream, client)
        return client

    def _build(self, upstream: Upstream) -> UpstreamClient:
        if upstream.kind in ("openai", "anthropic"):
            return RelayClient(upstream, self._session)
        if upstream.kind == "echo":
            return EchoClient()
        if upstream.kind == "llama_cpp":
            return self._run_here(upstream)
        if upstream.kind == "transformers":
            remote = upstream.soft_wire is not None
            self._soft.append(
                PromptEmbedsClient(upstream, self._session, self._state)
                if remote
                else TransformersClient(upstream, self._state)
            )
            return self._soft[-1]
        return LitellmClient(upstream)

    def _run_here(self, upstream: Upstream) -> LlamaCppClient:
        earlier = self._local.setdefault(upstream.name, [])
        for client in earlier:
            client.models.retire()  # its memory is needed: the configuration has changed
        earlier.append(LlamaCppClient(upstream))
        return earlier[-1]

    async def aclose(self) -> None:
        """Ends what the clients keep open beside the shared session."""
        for client in chain.from_iterable(self._local.values()):
            await client.aclose()
        for soft in self._soft:
            await soft.aclose()
        await close_clients()

    async def send(self, upstreams: tuple[Upstream, ...], call_for: CallFor) -> tuple[Answer, str]:
        """The first good answer with the name of its upstream.

        The next upstream is tried after a failed connection, 429, 5xx, or a local model without its file. If none
        does better, the last answer that there was comes back; if there was none, UpstreamUnreachable or
        UpstreamTimeout is raised.
        """
        kept: tuple[Answer, str] | None = None
        fault: UpstreamFault | None = None
        for upstream in upstreams:
            started = perf_counter()
            try:
                answer = await crossing.send(self.client(upstream), upstream, await call_for(upstream))
            except UpstreamFault as raised:
                self._attempts.attempt(upstream.name, raised.reason, perf_counter() - started)
                fields = {"upstream": upstream.name, "reason": raised.detail}
                LOG.warning("upstream failed", extra={"fields": fields})
                fault = raised
                continue
            self._attempts.attempt(upstream.name, _outcome(answer.status), perf_counter() - started)
            if not _others_may_do_better(answer) or upstream is upstreams[-1]:
                return answer, upstream.name
            kept = (await keep(answer, _KEPT_ERROR), upstream.name)
        if kept is not None:
            return kept
        assert fault is not None
        raise _own_error(fault, len(upstreams))


def _others_may_do_better(answer: Answer) -> bool:
    if isinstance(answer, OwnError) and answer.told.code == FILE_MISSING:
        return True
    return answer.status == 429 or answer.status >= 500


def _outcome(status: int) -> str:
    return f"{status // 100}xx" if status != 429 else "429"


def _own_error(fault: UpstreamFault, tried: int) -> ProxyError:
    message = fault.message if tried == 1 else f"{fault.message} (the last of {tried} upstreams tried)"
    return UpstreamTimeout(message) if fault.reason == "timeout" else UpstreamUnreachable(message)
