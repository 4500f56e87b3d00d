"""Where the texts of chat completions and completions lie."""

from __future__ import annotations

from typing import Any

from moosproxy.proxy.doors import chat, completions


def test_every_text_of_a_message_is_found_with_its_place_and_its_call() -> None:
    body = {
        "messages": [
            {"role": "system", "content": "rules"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}},
                                         {"type": "input_text", "text": "b"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": {"arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "row"},
            {"role": "function", "name": "find", "content": "old"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "no text"}}],
    }  # fmt: skip
    found = [(part.path, part.message, part.part, part.role, part.text, part.answers) for part in chat.texts(body)]
    assert found == [
        (("messages", 0, "content"), 0, None, "system", "rules", None),
        (("messages", 1, "content", 0, "text"), 1, 0, "user", "a", None),
        (("messages", 1, "content", 2, "text"), 1, 2, "user", "b", None),
        (("messages", 3, "content"), 3, None, "tool", "row", "c1"),
        (("messages", 4, "content"), 4, None, "function", "old", "find"),
    ]


def test_prompts_are_texts_of_the_user_and_the_suffix_is_none() -> None:
    def found(prompt: Any) -> list[tuple[Any, ...]]:
        parts = completions.texts({"prompt": prompt, "suffix": "s"})
        return [(part.path, part.message, part.role, part.text) for part in parts]

    assert found("a") == [(("prompt",), 0, "user", "a")]
    assert found(["a", [1, 2], "b"]) == [(("prompt", 0), 0, "user", "a"), (("prompt", 2), 2, "user", "b")]
    assert found([1, 2]) == found(None) == found({}) == []
