"""Which side a conversation is on: the same one in every turn, whatever its first message is made of."""

from __future__ import annotations

from typing import Any

import pytest

from moosproxy.policies.model import Policy
from moosproxy.proxy.doors.base import Door
from moosproxy.proxy.doors.chat import DOOR as CHAT
from moosproxy.proxy.doors.completions import DOOR as COMPLETIONS
from moosproxy.proxy.doors.messages import DOOR as MESSAGES
from moosproxy.proxy.doors.responses import DOOR as RESPONSES
from moosproxy.proxy.rewriting.control_group import Side, carries_on, side_of
from tests.proxy.wire import chat

POLICY = Policy(holdout=0.5)
MARK = {"cache_control": {"type": "ephemeral"}}


def picture(name: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{name}"}}


def shown(name: str, **more: Any) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": name}
    return {"role": "user", "content": [{"type": "image", "source": source, **more}]}


# Door, field, what stands before, the first message of a conversation with this name, as it comes again later on.
FIRST: dict[str, tuple[Door, str, list[Any], Any, Any]] = {
    "chat": (
        CHAT, "messages", [{"role": "system", "content": "rules"}],
        lambda name: {"role": "user", "content": [picture(name)]},
        lambda name: {"content": [picture(name)], "role": "user"},
    ),
    "chat, no content": (
        CHAT, "messages", [{"role": "developer", "content": "rules"}],
        lambda name: {"role": "user", "content": None, "name": name},
        lambda name: {"role": "user", "content": None, "name": name},
    ),
    "messages": (
        MESSAGES, "messages", [], lambda name: shown(name, **MARK), lambda name: shown(name),
    ),
    "responses": (
        RESPONSES, "input", [{"role": "developer", "content": "rules"}],
        lambda name: {"role": "user", "content": [{"type": "input_image", "file_id": name}]},
        lambda name: {"content": [{"file_id": name, "type": "input_image"}], "role": "user"},
    ),
    "responses, a file": (
        RESPONSES, "input", [],
        lambda name: {"role": "user", "content": [{"type": "input_file", "file_data": name + "\ud800"}]},
        lambda name: {"role": "user", "content": [{"type": "input_file", "file_data": name + "\ud800"}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FIRST)
def test_a_first_message_without_text_decides_in_every_turn(case: str) -> None:
    door, field, before, first, again = FIRST[case]
    later = [{"role": "assistant", "content": "a picture"}, {"role": "user", "content": "and what is in it?"}]
    sides = set()
    for number in range(40):
        name = f"p{number}"
        one = side_of(door, {field: [*before, first(name)]}, POLICY)
        assert one is not None
        assert one == side_of(door, {field: [*before, again(name), *later]}, POLICY)
        sides.add(one)

    assert len(sides) == 40
    assert {side.holdout for side in sides} == {True, False}


def test_a_text_is_the_same_one_alone_in_a_list_and_beside_what_changes() -> None:
    forms: list[Any] = [
        "look", [{"role": "user", "content": "look"}],
        [{"role": "user", "content": [{"type": "input_text", "text": "look"}]}],
        [{"role": "user", "content": [{"type": "input_text", "text": "look"},
                                      {"type": "input_image", "image_url": "https://a.example/?signed=1"}]}],
    ]  # fmt: skip

    assert len({side_of(RESPONSES, {"input": form}, POLICY) for form in forms}) == 1


@pytest.mark.parametrize(
    ("door", "body"),
    [
        (CHAT, {"messages": []}),
        (CHAT, {"messages": [{"role": "system", "content": "rules"}]}),
        (RESPONSES, {"instructions": "rules"}),
        (COMPLETIONS, {}),
    ],
)
def test_where_nobody_has_spoken_yet_there_is_no_side(door: Door, body: dict[str, Any]) -> None:
    assert side_of(door, body, POLICY) is None


@pytest.mark.parametrize(
    ("door", "field", "answer"),
    [
        (CHAT, "messages", {"role": "assistant", "content": "hello"}),
        (MESSAGES, "messages", {"role": "assistant", "content": "hello"}),
        (RESPONSES, "input", {"type": "reasoning", "summary": []}),
        (RESPONSES, "input", {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}),
    ],
)
def test_what_began_with_an_answer_to_nobody_stays_on_no_side(door: Door, field: str, answer: Any) -> None:
    assert side_of(door, {field: [answer, {"role": "user", "content": "and now?"}]}, POLICY) is None


def test_prompts_that_are_tokens_have_sides_too() -> None:
    sides = {side_of(COMPLETIONS, {"prompt": [number, 2, 3]}, POLICY) for number in range(40)}

    assert len(sides) == 40
    assert None not in sides


def test_a_conversation_keeps_its_side_whatever_comes_behind_its_first_message() -> None:
    policy = Policy(holdout=0.3, holdout_salt="a")
    system = {"role": "system", "content": "the same for all"}
    first = {"role": "user", "content": "the first words"}
    later = [{"role": "assistant", "content": "yes"}, {"role": "user", "content": "and now?"}]
    one = side_of(CHAT, {"messages": [system, first]}, policy)

    assert one is not None
    assert one == side_of(CHAT, {"messages": [system, first, *later]}, policy)
    assert one == side_of(CHAT, {"messages": [{**system, "content": "changed"}, first]}, policy)
    assert one != side_of(CHAT, {"messages": [system, {**first, "content": "other words"}]}, policy)
    assert one != side_of(CHAT, {"messages": [system, first]}, Policy(holdout=0.3, holdout_salt="b"))


def test_a_request_that_carries_on_a_kept_response_is_on_no_side() -> None:
    body = {"input": "and now?", "previous_response_id": "resp_1"}

    assert side_of(RESPONSES, body, Policy(holdout=1.0)) is None
    assert carries_on(RESPONSES, body)
    assert not carries_on(CHAT, chat("m", "hello", previous_response_id="resp_1"))


def test_a_conversation_that_the_provider_keeps_has_the_side_of_its_name() -> None:
    def side(said: str, kept: Any) -> Side | None:
        return side_of(RESPONSES, {"input": said, "conversation": kept}, POLICY)

    assert side("hello", "conv_1") == side("and now?", "conv_1") == side("and then?", {"id": "conv_1"})
    assert {side("hello", f"conv_{number}") for number in range(40)} >= {side("hello", "conv_1")}
    assert len({side("hello", f"conv_{number}") for number in range(40)}) == 40


def test_a_share_of_the_conversations_is_held_out_and_a_larger_share_holds_the_smaller_one() -> None:
    def held(share: float) -> set[int]:
        sides = (side_of(CHAT, chat("m", f"talk {number}"), Policy(holdout=share)) for number in range(4000))
        return {number for number, side in enumerate(sides) if side is not None and side.holdout}

    few, many = held(0.05), held(0.2)
    assert few < many
    assert 0.04 < len(few) / 4000 < 0.06
    assert 0.18 < len(many) / 4000 < 0.22
    assert not held(0.0)
