"""What is noted about one request while it is served: the source of its log line, metrics and x-moos headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from moosproxy.proxy.observing.names import model_name
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.upstreams.base import RawHeader
from moosproxy.proxy.upstreams.usage import Usage

if TYPE_CHECKING:
    from moosproxy.proxy.rewriting.fit_context import Fit
    from moosproxy.proxy.rewriting.outcome import PartOutcome, Rewritten

_LISTED_BOUND = 2000  # characters: some servers and clients refuse longer headers


@dataclass
class Record:
    """Counts, names from the configuration and times. Holds no text of the request.

    tokens_after: as sent. tokens_estimated: those of them in texts that no tokenizer has seen.
    shadow_after: what would have been sent, where the policy only measures. outcomes: number of texts by reason,
    or compressed. What most requests leave as it is takes no time to set: it is an attribute of the class.
    upstream: the one that answered. tried: the last that was asked, which may bill what nobody waited for.
    unseen: the request was relayed and nobody looked for texts in it.
    model: as the request names it, which may be anything. door: first segment of the path, or `other`.
    key_id: the first digits of the key's hash. arm: the side of the control group, `off` for neither.
    conversation: a number for it where there is a control group. retries: how often the client says it has tried.
    read_per_s: tokens a second that a model on this machine reads. openings: as in Rewritten. marked: the request
    itself asks the provider to cache, marked_to_end: all of it.
    """

    request_id: str
    method: str
    endpoint: str
    started: float = field(default_factory=perf_counter)
    status: int = field(default=0, init=False)
    team: str | None = field(default=None, init=False)
    key_id: str | None = field(default=None, init=False)
    policy: str | None = field(default=None, init=False)
    route: str | None = field(default=None, init=False)
    upstream: str | None = field(default=None, init=False)
    tried: str | None = field(default=None, init=False)
    stream: bool = field(default=False, init=False)
    parts: tuple[PartOutcome, ...] = field(default=(), init=False)
    outcomes: dict[str, int] = field(default_factory=dict, init=False)
    tokens_before: int = field(default=0, init=False)
    tokens_after: int = field(default=0, init=False)
    tokens_estimated: int = field(default=0, init=False)
    shadow_after: int | None = field(default=None, init=False)
    compression_ms: float = field(default=0.0, init=False)
    upstream_s: float = field(default=0.0, init=False)
    first_byte_s: float | None = field(default=None, init=False)
    usage: Usage | None = field(default=None, init=False)
    fit: Fit | None = field(default=None, init=False)
    error: str | None = field(default=None, init=False)
    disconnected: bool = field(default=False, init=False)
    unseen: bool = field(default=False, init=False)
    model: str | None = field(default=None, init=False)
    door: str = field(default="other", init=False)
    arm: str = field(default="off", init=False)
    conversation: int | None = field(default=None, init=False)
    retries: int = field(default=0, init=False)
    read_per_s: float = field(default=0.0, init=False)
    openings: tuple[tuple[int, float], ...] = field(default=(), init=False)
    marked: bool = field(default=False, init=False)
    marked_to_end: bool = field(default=False, init=False)

    @property
    def answered(self) -> bool:
        """Whether an upstream took the request: only then anything can have been saved by what was left out."""
        return bool(self.upstream) and self.status < 400

    def sizes(self) -> list[tuple[int, int, bool]]:
        """Of each text tokens before and as sent, and whether the model's own tokenizer counted them.

        Where it did not, no more were left out than those that every tokenizer counts.
        """
        if self.shadow_after is not None:
            return [(part.tokens_before, part.tokens_before, not part.estimated) for part in self.parts]
        return [
            (part.tokens_before, part.tokens_after, not part.estimated)
            if part.fewer is None
            else (min(part.tokens_before, part.tokens_after + part.fewer), part.tokens_after, False)
            for part in self.parts
        ]

    @property
    def proxy_s(self) -> float:
        """Seconds until the answer's head, without the upstream's and the compressor's share."""
        until = self.first_byte_s if self.first_byte_s is not None else perf_counter() - self.started
        return max(0.0, until - self.upstream_s - self.compression_ms / 1000)

    def take(self, rewritten: Rewritten) -> None:
        """Notes what became of the text parts."""
        self.parts = rewritten.parts
        before = after = estimated = 0
        outcomes = self.outcomes = dict[str, int]()
        for part in rewritten.parts:
            outcome = part.reason.value if part.reason else "compressed"
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            before += part.tokens_before
            after += part.tokens_after
            if part.estimated:
                estimated += part.tokens_after
        self.tokens_before, self.tokens_estimated = before, estimated
        self.tokens_after = before if rewritten.shadow else after
        self.shadow_after = after if rewritten.shadow else None
        self.compression_ms = rewritten.compression_ms
        self.openings = rewritten.openings

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
        elif self.unseen:
            out.append((b"x-moos-skipped", SkipReason.ENDPOINT.encode()))
        return out

    def _compression_headers(self) -> list[RawHeader]:
        ratio = self.tokens_before / self.tokens_after if self.tokens_after else 1.0
        hits = len([part for part in self.parts if part.cache])
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
        # `message[.part]=reason`, and `=kind:percent` of what kept the ratio below the asked one.
        skipped = [(part, part.reason.value) for part in self.parts if part.reason is not None]
        if skipped:
            out.append((b"x-moos-skipped", _listed(skipped)))
        limits = [(part, part.limit) for part in self.parts if part.limit is not None]
        if limits:
            told = _listed([(part, f"{limit.kind}:{limit.percent}") for part, limit in limits])
            out.append((b"x-moos-limited", told))
        return out

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
        if self.team is not None:
            out["team"] = self.team
        if self.key_id is not None:
            out["key_id"] = self.key_id
        if self.policy is not None:
            out["policy"] = self.policy
        if self.route is not None:
            out["route"] = self.route
        if self.upstream is not None:
            out["upstream"] = self.upstream
        if self.model is not None:
            out["model"] = model_name(self.model)
        out["door"] = self.door
        if self.arm == "holdout":
            out["arm"] = self.arm
        if self.error is not None:
            out["error"] = self.error
        if self.upstream:
            out["upstream_ms"] = round(self.upstream_s * 1000, 2)
        if self.stream:
            out["stream"] = True
        if self.disconnected:
            out["disconnected"] = True
        if self.parts:
            out |= self._compression_fields()
        elif self.unseen:
            out["skipped"] = SkipReason.ENDPOINT.value
        if self.usage is not None:
            out["prompt_tokens"] = self.usage.prompt
            out["completion_tokens"] = self.usage.completion
            out["cached_tokens"] = self.usage.cached
        return out

    def _compression_fields(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if self.fit is not None:
            out |= {"fit_context": self.fit.how, "fit_ratio": self.fit.ratio}
        if self.shadow_after is not None:
            out["shadow_tokens_after"] = self.shadow_after
        out["tokens_before"] = self.tokens_before
        out["tokens_after"] = self.tokens_after
        out["tokens_estimated"] = self.tokens_estimated
        out["compression_ms"] = round(self.compression_ms, 2)
        out["cache_hits"] = len([part for part in self.parts if part.cache])
        out["parts"] = dict(self.outcomes)
        return out


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
