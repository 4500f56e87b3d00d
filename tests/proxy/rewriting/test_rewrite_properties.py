"""Whatever JSON comes in, nothing but eligible text is changed and nothing is raised."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.rewriting.outcome import Overrides, Rewritten
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.scheduling.scheduler import CompressionService
from tests.proxy.fakes import FakeCompressor

POLICY = Policy(min_tokens=2)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)
words = st.lists(st.text("ab.é漢\n\ud800", min_size=1, max_size=6), max_size=30).map(" ".join)
anything = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(["text", "input_text", "image_url", "refusal"]) | anything
parts = st.fixed_dictionaries({}, optional={"type": kinds, "text": words | anything, "extra": anything})
roles = st.sampled_from(["user", "tool", "system", "assistant", "developer"]) | anything
contents = words | st.lists(parts | anything, max_size=4) | anything
messages = st.fixed_dictionaries(
    {}, optional={"role": roles, "content": contents, "name": anything, "tool_calls": anything}
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "model": anything,
        "messages": st.lists(messages | anything, max_size=4) | anything,
        "tools": anything,
        "stream": anything,
    },
)


def rewrite(body: dict[str, Any]) -> Rewritten:
    async def run() -> Rewritten:
        service = CompressionService(FakeCompressor())
        try:
            rewriter = Rewriter(service, Store(LocalCache(1_000_000)))
            return await rewriter.rewrite(body, POLICY, None, Overrides())
        finally:
            await service.aclose()

    return asyncio.run(run())


def put_back(out: Rewritten, body: dict[str, Any]) -> dict[str, Any]:
    """The new body with the old text at each place that is reported as compressed."""
    restored = copy.deepcopy(out.body)
    for part in out.parts:
        if part.reason is not None:
            continue
        old, new = body["messages"][part.message], restored["messages"][part.message]
        assert old["role"] in POLICY.compress_roles
        if part.part is None:
            new["content"] = old["content"]
        else:
            assert old["content"][part.part]["type"] in ("text", "input_text")
            new["content"][part.part]["text"] = old["content"][part.part]["text"]
    return restored


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies)
def test_only_text_that_is_reported_as_compressed_differs(body: dict[str, Any]) -> None:
    before = copy.deepcopy(body)
    out = rewrite(body)
    assert body == before
    assert put_back(out, body) == body
    assert out.changed == any(part.reason is None for part in out.parts)
    assert out.body is not body
    assert all(part.tokens_after <= part.tokens_before for part in out.parts)


@settings(max_examples=50, deadline=None)
@given(bodies)
def test_the_same_body_comes_out_the_same_from_two_processes_worth_of_state(body: dict[str, Any]) -> None:
    assert rewrite(body).body == rewrite(copy.deepcopy(body)).body
