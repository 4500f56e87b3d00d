"""The rule of docs/money.md, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.proxy.ledger.counterfactual import Mark, Seen, Tokens, billed, cost, original_tokens
from moosproxy.proxy.ledger.prices import Price, Rules
from moosproxy.proxy.upstreams.usage import Usage

NOTHING = Seen()
ALL = Seen(1.0, 1.0, 1.0)
OPENAI = Price(2_500_000, 10_000_000, 250_000, 2_500_000, 2_500_000, Rules(128))
ANTHROPIC = Price(3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000, Rules(automatic=False))


def usage(prompt: int, cached: int = 0, written: int = 0, long: int = 0, completion: int = 10) -> Usage:
    return Usage(prompt, completion, cached, written, long)


def test_without_a_cache_what_was_left_out_costs_its_price() -> None:
    whole = original_tokens(usage(4100), OPENAI, [(8000, 4000, True)], NOTHING, Mark())

    assert whole == Tokens(8100, 0, 0, 0)
    assert cost(whole, usage(4100), OPENAI) - billed(usage(4100), OPENAI) == 4000 * OPENAI.input


def test_what_lies_in_the_cached_part_would_have_been_cached_in_steps() -> None:
    # A document that was read from the cache, and a question behind it: only the document was shortened.
    whole = original_tokens(usage(4100, 3968), OPENAI, [(8000, 4000, True), (100, 100, False)], NOTHING, Mark())

    assert sum(whole) == 8100
    assert whole.cached == (3968 + 80 + 4000) // 128 * 128


def test_what_is_new_in_a_turn_counts_in_full() -> None:
    sizes = [(2000, 2000, True), (6000, 3000, True)]
    whole = original_tokens(usage(5000, 1920), OPENAI, sizes, NOTHING, Mark())

    assert whole == Tokens(8000 - 1920, 1920, 0, 0)


def test_parts_that_nobody_touched_are_counted_once() -> None:
    # 900 tokens of tools and templates are in the provider's count alone.
    whole = original_tokens(usage(4900), OPENAI, [(8000, 4000, True)], NOTHING, Mark())

    assert sum(whole) == 8900


def test_where_our_tokens_are_smaller_than_the_providers_they_are_scaled_down() -> None:
    whole = original_tokens(usage(3000), OPENAI, [(8000, 4000, True)], NOTHING, Mark())

    assert sum(whole) == 6000


@pytest.mark.parametrize(("seen", "cached"), [(NOTHING, 0), (ALL, 1408)])
def test_a_prompt_that_fell_below_the_least_may_have_been_read_as_it_came(seen: Seen, cached: int) -> None:
    whole = original_tokens(usage(750), OPENAI, [(1500, 750, True)], seen, Mark())

    assert whole == Tokens(1500 - cached, cached, 0, 0)
    saved = cost(whole, usage(750), OPENAI) - billed(usage(750), OPENAI)
    assert (saved < 0) == bool(cached)


def test_a_cut_that_broke_the_cache_counts_against_us() -> None:
    seen = Seen(sure=0.8, reach=0.9)
    whole = original_tokens(usage(2000), OPENAI, [(4000, 2000, True)], seen, Mark())

    assert whole == Tokens(4000 - 3584, 3584, 0, 0)
    assert cost(whole, usage(2000), OPENAI) < billed(usage(2000), OPENAI)


def test_written_and_read_tokens_of_anthropic_keep_their_prices() -> None:
    sizes = [(4000, 2000, True), (2000, 1000, True), (50, 50, False)]
    whole = original_tokens(usage(3050, 2000, 1000), ANTHROPIC, sizes, NOTHING, Mark(True))

    assert whole == Tokens(50, 4000, 2000, 0)


def test_an_hours_premium_stays_one() -> None:
    whole = original_tokens(usage(2000, 0, 2000, 2000), ANTHROPIC, [(4000, 2000, True)], NOTHING, Mark(True))

    assert whole == Tokens(0, 0, 0, 4000)


def test_what_was_written_only_because_the_prompt_had_been_too_short_before_would_have_been_read() -> None:
    sizes = [(1200, 600, True), (1200, 600, True)]
    whole = original_tokens(usage(1200, 0, 1200), ANTHROPIC, sizes, Seen(0.5, 0.6, 0.5), Mark(True))

    assert whole == Tokens(0, 1200, 1200, 0)


def test_a_short_prompt_that_is_marked_to_its_end_would_have_been_written() -> None:
    sizes = [(1500, 750, True)]

    assert original_tokens(usage(750), ANTHROPIC, sizes, NOTHING, Mark(True, True)) == Tokens(0, 0, 1500, 0)
    assert original_tokens(usage(750), ANTHROPIC, sizes, ALL, Mark(True, True)) == Tokens(0, 1500, 0, 0)
    assert original_tokens(usage(750), ANTHROPIC, sizes, NOTHING, Mark(True)) == Tokens(1500, 0, 0, 0)


def test_without_marks_anthropic_caches_nothing() -> None:
    assert original_tokens(usage(750), ANTHROPIC, [(1500, 750, True)], ALL, Mark()) == Tokens(1500, 0, 0, 0)


def test_long_prompts_have_their_own_price() -> None:
    price = Price(1, 2, 1, 1, 1, long_from=200_000, long=(10, 20, 5))
    whole = original_tokens(usage(150_000), price, [(300_000, 150_000, True)], NOTHING, Mark())

    assert (billed(usage(150_000), price), cost(whole, usage(150_000), price)) == (150_020, 3_000_200)


def test_nothing_left_out_is_nothing_saved() -> None:
    for price in (OPENAI, ANTHROPIC):
        found = usage(2000, 1024, 200, 100)
        whole = original_tokens(found, price, [(1500, 1500, True)], ALL, Mark(True))
        assert cost(whole, found, price) == billed(found, price)


@given(
    st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([OPENAI, ANTHROPIC]),
    st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 10**5), st.booleans()), max_size=6),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)  # fmt: skip
def test_whatever_is_reported_no_count_is_negative(
    prompt: int,
    cached: int,
    written: int,
    price: Price,
    sizes: list[tuple[int, int, bool]],
    seen: tuple[float, ...],
) -> None:
    found = usage(prompt, min(cached, prompt), min(written, max(0, prompt - cached)))
    whole = original_tokens(found, price, sizes, Seen(*seen), Mark(True))

    assert min(whole) >= 0
    assert sum(whole) >= prompt


@pytest.mark.parametrize("rules", [Rules(), Rules(128), Rules(automatic=False)])
def test_what_a_provider_read_of_a_short_prompt_it_would_have_read_of_the_original(rules: Rules) -> None:
    price = Price(1_000_000, 1_000_000, 250_000, 1_000_000, 1_000_000, rules)
    found = usage(490, 464)
    for before in (900, 1500):
        whole = original_tokens(found, price, [(before, 460, True), (10, 10, True)], NOTHING, Mark(True))
        saved = cost(whole, found, price) - billed(found, price)

        assert whole.cached >= found.cached
        # Within half a step of what left the cached part costs there.
        assert 0 <= saved <= (before - 460) * price.cached + rules.step // 2 * (price.input - price.cached)
