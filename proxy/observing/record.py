"""What is noted about one request while it is served: the source of its log line, metrics and x-moos headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from moosproxy.proxy.upstreams.base import RawHeader
from moosproxy.proxy.upstreams.usage import Usage

if TYPE_CHECKING:
    from moosproxy.proxy.rewriting.fit_context import Fit
    from moosproxy.proxy.rewriting.outcome import PartOutcome, Rewritten

_LISTED_BOUND = 2000  # characters: some servers and clients refuse longer headers


@dataclass(slots=True)
class Record:
    """Counts, names from the configuration and times. Holds no text of the request.

    tokens_after: as sent. tokens_estimated: those of them in texts that no tokenizer has seen.
    shadow_after: what would have been sent, where the policy only measures.
    """

    request_id: str
    method: str
    endpoint: str
    started: float = field(default_factory=perf_counter)
    status: int = 0
    team: str | None = None
    policy: str | None = None
    route: str | None = None
    upstream: str | None = None
    stream: bool = False
    parts: tuple[PartOutcome, ...] = ()
    tokens_before: int = 0
    tokens_after: int = 0
    tokens_estimated: int = 0
    shadow_after: int | None = None
    compression_ms: float = 0.0
    upstream_s: float = 0.0
    first_byte_s: float | None = None
    usage: Usage | None = None
    fit: Fit | None = None
    error: str | None = None
    disconnected: bool = False

    @property
    def proxy_s(self) -> float:
        """Seconds until the answer's head, without the upstream's and the compressor's share."""
        until = self.first_byte_s if self.first_byte_s is not None else perf_counter() - self.started
        return max(0.0, until - self.upstream_s - self.compression_ms / 1000)

    def take(self, rewritten: Rewritten) -> None:
        """Notes what became of the text parts."""
        self.parts = rewritten.parts
        self.tokens_before = rewritten.tokens_before
        self.tokens_after = rewritten.tokens_before if rewritten.shadow else rewritten.tokens_after
        self.shadow_after = rewritten.tokens_after if rewritten.shadow else None
        self.tokens_estimated = sum(part.tokens_after for part in rewritten.parts if part.estimated)
        self.compression_ms = rewritten.compression_ms

    def response_headers(self) -> list[RawHeader]:
        """The x-moos headers. Called when the answer's head is about to go out."""
        self.first_byte_s = perf_counter() - self.started
        out = [
            (b"x-moos-request-id", self.request_id.encode()),
            (b"x-moos-proxy-ms", b"%.2f" % (self.proxy_s * 1000)),
        ]
        if self.policy is not None:
            out.append((b"x-moos-policy", self.policy.encode("ascii", "backslashreplace")))
        if self.parts:
            out += self._compression_headers()
        return out

    def _compression_headers(self) -> list[RawHeader]:
        ratio = self.tokens_before / self.tokens_after if self.tokens_after else 1.0
        hits = sum(1 for part in self.parts if part.cache)
        out = [
            (b"x-moos-tokens-before", b"%d" % self.tokens_before),
            (b"x-moos-tokens-after", b"%d" % self.tokens_after),
            (b"x-moos-ratio", b"%.3f" % ratio),
            (b"x-moos-cache-hits", b"%d" % hits),
            (b"x-moos-compression-ms", b"%.2f" % self.compression_ms),
        ]
        if self.tokens_estimated:
            out.append((b"x-moos-tokens-estimated", b"%d" % self.tokens_estimated))
        if self.shadow_after is not None:
            out.append((b"x-moos-shadow", b"tokens-after=%d" % self.shadow_after))
        if self.fit is not None:
            out.append((b"x-moos-fit-context", b"%s; ratio=%g" % (self.fit.how.encode(), self.fit.ratio)))
        for name, entries in ((b"x-moos-skipped", self._skipped()), (b"x-moos-limited", self._limited())):
            if entries:
                out.append((name, entries))
        return out

    def _skipped(self) -> bytes:
        """`message[.part]=reason`, comma separated."""
        return _listed([(part, str(part.reason)) for part in self.parts if part.reason is not None])

    def _limited(self) -> bytes:
        """`message[.part]=kind:percent`: which kind of text kept the ratio below the asked one, and its share."""
        limits = [(part, part.limit) for part in self.parts if part.limit is not None]
        return _listed([(part, f"{limit.kind}:{limit.percent}") for part, limit in limits])

    def fields(self) -> dict[str, Any]:
        """The log line's fields; what does not apply is left out."""
        out: dict[str, Any] = {
            "request_id": self.request_id,
            "method": self.method,
            "endpoint": self.endpoint,
            "status": self.status,
            "duration_ms": round((perf_counter() - self.started) * 1000, 2),
            "proxy_ms": round(self.proxy_s * 1000, 2),
        }
        for name in ("team", "policy", "route", "upstream", "error"):
            value = getattr(self, name)
            if value is not None:
                out[name] = value
        if self.upstream:
            out["upstream_ms"] = round(self.upstream_s * 1000, 2)
        if self.stream:
            out["stream"] = True
        if self.disconnected:
            out["disconnected"] = True
        if self.parts:
            out |= self._compression_fields()
        if self.usage is not None:
            out["prompt_tokens"] = self.usage.prompt
            out["completion_tokens"] = self.usage.completion
            out["cached_tokens"] = self.usage.cached
        return out

    def _compression_fields(self) -> dict[str, Any]:
        outcomes: dict[str, int] = {}
        for part in self.parts:
            outcome = part.reason.value if part.reason else "compressed"
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        fit = {"fit_context": self.fit.how, "fit_ratio": self.fit.ratio} if self.fit is not None else {}
        shadow = {"shadow_tokens_after": self.shadow_after} if self.shadow_after is not None else {}
        return (
            fit
            | shadow
            | {
                "tokens_before": self.tokens_before,
                "tokens_after": self.tokens_after,
                "tokens_estimated": self.tokens_estimated,
                "compression_ms": round(self.compression_ms, 2),
                "cache_hits": sum(1 for part in self.parts if part.cache),
                "parts": outcomes,
            }
        )


def _listed(entries: list[tuple[PartOutcome, str]]) -> bytes:
    """Comma separated by place; the rest of a long list as a count."""
    out: list[str] = []
    size = 0
    for part, told in entries:
        place = str(part.message) if part.part is None else f"{part.message}.{part.part}"
        size += len(place) + len(told) + 2
        if size > _LISTED_BOUND:
            out.append(f"+{len(entries) - len(out)}")
            break
        out.append(f"{place}={told}")
    return ",".join(out).encode()
