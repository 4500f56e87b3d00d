"""Prices by address, policy file and list."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pytest

from moosproxy.policies.model import Upstream
from moosproxy.proxy.ledger.prices import SNAPSHOT, Price, PriceBook, Rules, newest, trimmed

BOOK = PriceBook(json.loads(SNAPSHOT.read_bytes())["models"])


def upstream(kind: str = "openai", url: str | None = "https://api.openai.com/v1", **fields: Any) -> Upstream:
    given = {"base_url": url} if url else {}
    return Upstream(name="it", kind=kind, **given, **fields)


def found(it: Upstream, model: str, answered: str | None = None) -> Price:
    price = BOOK.of(it, model, answered)
    assert price is not None
    return price


def test_openais_list_holds_at_its_address() -> None:
    price = found(upstream(), "gpt-4o")

    assert (price.input, price.cached, price.output) == (2_500_000, 1_250_000, 10_000_000)
    assert price.rules == Rules(128, 1024)
    assert price.label == "openai/gpt-4o: input 2.5, cached 1.25, written 2.5, output 10"


def test_anthropic_takes_premiums_for_writing_and_caches_by_marks() -> None:
    price = found(upstream("anthropic", "https://api.anthropic.com/v1"), "claude-sonnet-4-5-20250929")

    assert (price.written / price.input, price.written_1h / price.input, price.cached / price.input) == (
        1.25,
        2,
        0.1,
    )
    assert not price.rules.automatic
    assert found(upstream("anthropic", "https://api.anthropic.com/v1"), "claude-haiku-4-5").rules.least == 4096


def test_a_date_that_the_list_does_not_have_is_left_out() -> None:
    assert found(upstream(), "gpt-4o-2031-01-01").input == found(upstream(), "gpt-4o").input


def test_an_unknown_model_or_address_has_no_price() -> None:
    assert BOOK.of(upstream(), "a-model-of-tomorrow") is None
    assert BOOK.of(upstream(url="http://10.0.0.7/v1"), "gpt-4o") is None
    assert BOOK.of(upstream("echo", None), "gpt-4o") is None
    assert BOOK.of(upstream(), None) is None


def test_the_policy_may_name_the_provider_of_another_address() -> None:
    assert found(upstream(url="http://10.0.0.7/v1", price_provider="openai"), "gpt-4o").input == 2_500_000


def test_the_policys_own_price_goes_before_the_list_and_globs_are_tried_in_order() -> None:
    prices = {
        "gpt-4*": {"input": 1.5, "output": 6, "cached": 0.3, "cache_min_tokens": 512},
        "*": {"input": 0, "output": 0},
    }
    it = upstream(prices=prices)
    price = found(it, "gpt-4o")

    assert (price.input, price.cached, price.written, price.output) == (1_500_000, 300_000, 1_500_000, 6_000_000)
    assert price.rules == Rules(128, 512)
    assert found(it, "else").input == 0


def test_names_are_the_upstreams_own_or_those_of_the_answer() -> None:
    mapped = upstream(url="https://me.openai.azure.com/v1", model_map={"mine": "deployment-7"})

    assert BOOK.of(mapped, "mine") is None
    assert found(mapped, "mine", "gpt-4o").label.startswith("azure/gpt-4o")
    assert found(upstream("litellm", None, model_prefix="anthropic/"), "claude-sonnet-4-5").input == 3_000_000
    assert found(upstream("litellm", None), "gemini/gemini-2.5-pro").at(250_000).input == 2_500_000


def test_the_least_that_is_cached_is_known_without_a_price() -> None:
    assert BOOK.cache_least(upstream(), "a-model-of-tomorrow") == 1024
    assert BOOK.cache_least(upstream("echo", None), "any") == 0


def test_the_snapshot_is_litellms_map_trimmed() -> None:
    entry = {
        "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06,
        "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06,
    }  # fmt: skip
    of = {"gpt-4o": entry, "picture": {**entry, "mode": "image_generation"}, "sample_spec": {}, "odd": 3}

    assert trimmed(of) == {"openai": {"gpt-4o": [2_500_000, 10_000_000, 1_250_000]}}


def test_a_newer_litellm_is_read_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    old = tmp_path / "prices.json"
    old.write_text(json.dumps({"litellm": "0.0.1", "models": {}}))
    monkeypatch.setattr("moosproxy.proxy.ledger.prices.SNAPSHOT", old)

    assert version("litellm") > "0.0.1"
    assert newest()["openai"]["gpt-4o"][0] == 2_500_000
