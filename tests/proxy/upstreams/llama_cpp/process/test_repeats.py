"""An answer of tool calls ends before one that has come already, wherever the pieces break."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from moosproxy.proxy.upstreams.llama_cpp.process.repeats import Repeats


def call(city: str) -> str:
    """As the grammar writes one."""
    told = {"name": "weather", "arguments": {"city": city}}
    return f"<tool_call>\n{json.dumps(told)}\n</tool_call>"


@given(
    st.lists(st.sampled_from(["Oslo", "Os", "Rome", "a </tool_call> b", '"']), min_size=1, max_size=6),
    st.integers(1, 40),
    st.booleans(),
)
def test_calls_are_shown_up_to_the_first_that_comes_again(cities: list[str], step: int, cut: bool) -> None:
    text = "\n".join(map(call, cities))
    if cut:
        text = text[:-20]
    whole = cities[:-1] if cut else cities
    new = next((at for at, city in enumerate(whole) if city in whole[:at]), None)
    repeats = Repeats()
    shown, ended = "", False
    for at in range(0, len(text), step):
        piece, ended = repeats.feed(text[at : at + step])
        shown += piece
        if ended:
            break
    else:
        shown += repeats.rest()

    assert ended == (new is not None)
    assert shown == (text if new is None else "\n".join(map(call, cities[:new])))
