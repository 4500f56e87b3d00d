"""What a text was asked for by what stands before it: never by what comes later."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moosproxy.proxy.doors.chat import DOOR as CHAT
from moosproxy.proxy.doors.completions import DOOR as COMPLETIONS
from moosproxy.proxy.rewriting.conversation import asked_before

LONG = "The mill was built by the river. " * 60


def asked(messages: list[Any]) -> list[str | None]:
    body = {"messages": messages}
    return asked_before(CHAT, body, CHAT.find(body))


def call(name: str = "read", arguments: str = '{"path": "src/app.py"}', id_: str = "c1") -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}]}  # fmt: skip


def test_a_tools_result_is_asked_for_by_the_users_request_and_the_call_it_answers() -> None:
    user = {"role": "user", "content": "Why does the import fail?"}
    result = {"role": "tool", "tool_call_id": "c1", "content": LONG}
    assert asked([user, call(), result]) == [None, "Why does the import fail?\npath src/app.py"]


def test_each_result_knows_its_own_call_also_the_old_form() -> None:
    both = call()
    both["tool_calls"] += call(arguments='{"pattern": "retry"}', id_="c2")["tool_calls"]
    old = {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": '{"q": "x1"}'}}
    found = asked([both, {"role": "tool", "tool_call_id": "c2", "content": LONG},
                   {"role": "tool", "tool_call_id": "c1", "content": LONG}, old,
                   {"role": "function", "name": "find", "content": LONG}])  # fmt: skip
    assert found == ["pattern retry", "path src/app.py", "q x1"]


def test_a_document_is_asked_for_by_the_request_before_it_or_beside_it_in_the_same_message() -> None:
    first = {"role": "user", "content": "Tell me who built the mill."}
    document = {"role": "user", "content": LONG}
    beside = {
        "role": "user",
        "content": [{"type": "text", "text": LONG}, {"type": "text", "text": "Which river?"}],
    }
    assert asked([first, document]) == [None, "Tell me who built the mill."]
    assert asked([first, beside]) == [None, "Which river?", "Tell me who built the mill."]


def test_a_long_request_stands_for_the_question_in_it() -> None:
    assert (
        asked([{"role": "user", "content": LONG + "\n\nWho built the mill?"}, document()])[1]
        == "Who built the mill?"
    )


def document() -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "none", "content": LONG}


def test_nothing_that_comes_later_changes_what_a_text_was_asked_for() -> None:
    messages: list[Any] = [{"role": "user", "content": "Why does the import fail?"}, call(), document()]
    later = [
        {"role": "assistant", "content": "Because."},
        {"role": "user", "content": "And the export?"},
        call(),
        document(),
    ]
    before = asked(messages)
    assert asked([*messages, *later])[: len(before)] == before


@pytest.mark.parametrize(
    "odd",
    [
        "text", None, 7, [], {}, {"role": "user"}, {"role": "tool", "content": LONG},
        {"role": "tool", "tool_call_id": ["x"], "content": LONG}, {"role": "assistant", "tool_calls": "no"},
        {"role": "assistant", "tool_calls": [None, {"function": 3}, {"id": 4, "function": {"arguments": {}}}]},
        {"role": "assistant", "function_call": {"name": None, "arguments": 3}},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_odd_messages_ask_nothing_and_raise_nothing(odd: Any) -> None:
    body = {"messages": [odd, document()]}
    assert asked_before(CHAT, body, CHAT.find(body))[-1] is None


def test_a_prompt_of_completions_was_asked_for_by_nothing() -> None:
    body = {"prompt": [LONG, LONG]}
    assert asked_before(COMPLETIONS, body, COMPLETIONS.find(body)) == [None, None]


def test_a_translator_is_asked_for_by_all_that_comes_whatever_it_asks_itself() -> None:
    order = "You are a professional translator. Render everything in French."
    letter = {"role": "user", "content": "Dear Ann, can you come on Friday? " * 40}
    tool = {"role": "tool", "tool_call_id": "c1", "content": "..."}

    assert asked([{"role": "system", "content": order}, letter]) == [None, order]
    assert asked([{"role": "developer", "content": order}, letter, letter])[1:] == [order, order]
    assert asked([{"role": "system", "content": order}, letter, tool])[2] != order
    assert asked([letter, {"role": "system", "content": order}, letter])[2] != order


def test_a_long_system_prompt_that_also_speaks_of_translating_is_no_translators() -> None:
    rules = "Translate labels where needed. " + "Answer in two sentences at most. " * 60

    assert asked([{"role": "system", "content": rules}, {"role": "user", "content": "What is late?"}])[1] != rules


def test_a_system_prompt_that_says_how_to_answer_makes_nothing_whole() -> None:
    for how in (
        "Quote sources verbatim.",
        "Find all callers first. Format the answer as JSON.",
        "List all sources.",
    ):
        assert asked([{"role": "system", "content": how}, {"role": "user", "content": "What is late?"}])[1] != how
    for task in ("Rewrite the user's text in plain English.", "Correct everything that is sent."):
        assert asked([{"role": "system", "content": task}, {"role": "user", "content": "a text"}])[1] == task
