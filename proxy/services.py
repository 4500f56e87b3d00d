"""What a request needs while it is served, made once per process by `proxy.app`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from moosproxy.policies.model import Policy
from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.connections.held import Held
from moosproxy.proxy.connections.neighbours import Neighbours
from moosproxy.proxy.decisions import Decisions
from moosproxy.proxy.doors.base import Door
from moosproxy.proxy.doors.chat import DOOR as CHAT
from moosproxy.proxy.ledger.ledger import Ledger
from moosproxy.proxy.ledger.prices import PriceBook
from moosproxy.proxy.ledger.writer import Writer
from moosproxy.proxy.limits.gate import Gate
from moosproxy.proxy.observing.metrics import Metrics
from moosproxy.proxy.observing.recent import Recent
from moosproxy.proxy.observing.record import Record
from moosproxy.proxy.observing.tracing import Tracing
from moosproxy.proxy.rewriting.break_even import BreakEven
from moosproxy.proxy.rewriting.explain import Explainer
from moosproxy.proxy.rewriting.fit_context import FitContext
from moosproxy.proxy.settings import Settings
from moosproxy.proxy.upstreams.pool import UpstreamPool
from moosproxy.proxy.upstreams.usage import Usage

if TYPE_CHECKING:
    from moosproxy.proxy.rewriting.outcome import Overrides, Rewritten, Worth


Price = Callable[[Record, Usage], float | None]
"""What a finished request with so many tokens has cost in US dollars, None where its model has no price."""


class PolicySource(Protocol):
    """Where the set in force comes from; it may change between two requests."""

    @property
    def current(self) -> PolicySet:
        """The last good set."""

    @property
    def faults(self) -> Sequence[object]:
        """What is wrong with the files on disk; str() of each names file, path and reason."""


class RewriterLike(Protocol):
    """Shortens the text parts of a request."""

    async def rewrite(
        self,
        body: dict[str, Any],
        policy: Policy,
        team: str | None,
        overrides: Overrides,
        worth: Worth | None = None,
        door: Door = CHAT,
    ) -> Rewritten:
        """Raises CompressionRejected if compression failed and the policy says reject."""


@dataclass(slots=True)
class Services:
    """The parts of a running proxy."""

    settings: Settings
    policies: PolicySource
    metrics: Metrics
    pool: UpstreamPool
    rewriter: RewriterLike
    break_even: BreakEven
    held: Held
    gate: Gate
    price: Price
    decisions: Decisions = field(default_factory=Decisions)
    fit_context: FitContext = field(default_factory=FitContext)
    explainer: Explainer = field(default_factory=Explainer)
    recent: Recent = field(default_factory=Recent)
    tracing: Tracing = field(default_factory=Tracing)
    prices: PriceBook = field(default_factory=PriceBook)
    ledger_writer: Writer | None = None
    ledger: Ledger | None = None
    """For whoever reads; None where there is none."""
    neighbours: Neighbours = field(init=False)

    def __post_init__(self) -> None:
        self.neighbours = Neighbours(self.settings)
