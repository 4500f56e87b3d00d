"""Tool calls in the forms that models write, wherever the pieces break; what only looks like one stays text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.proxy.upstreams.local.tool_calls.events import CallArguments, CallBegins, Tool
from moosproxy.proxy.upstreams.local.tool_calls.reader import ToolCallReader

TOOLS = [
    Tool("weather", {"properties": {"city": {"type": "string"}, "days": {"type": ["integer", "null"]}}}),
    Tool("search", {"properties": {"q": {"type": "string"}}}),
]
OSLO = '{"name": "weather", "arguments": {"city": "Os}lo \\"x\\"", "days": 2}}'
FISH = '{"name": "search", "parameters": {"q": "fish"}}'
WEATHER = ("weather", {"city": 'Os}lo "x"', "days": 2})
SEARCH = ("search", {"q": "fish"})
XML = (
    '<tool_call>\n<function=weather>\n<parameter=city>\nOs}lo "x"\n</parameter>\n'
    "<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>"
)

CALLS: dict[str, tuple[str, list[Any]]] = {
    "hermes": (f"<tool_call>\n{OSLO}\n</tool_call>", [WEATHER]),
    "text before": (f"Let me look.\n<tool_call>\n{OSLO}\n</tool_call>", ["Let me look.\n", WEATHER]),
    "two": (f"<tool_call>{OSLO}</tool_call>\n<tool_call>\n{FISH}\n</tool_call>", [WEATHER, SEARCH]),
    "not closed": (f"<tool_call>\n{OSLO}", [WEATHER]),
    "text behind": (f"<tool_call>{OSLO}</tool_call>\n\nDone.", [WEATHER, "Done."]),
    "other tags": (f"<tools>\n{OSLO}\n</tools>", [WEATHER]),
    "bare": (OSLO, [WEATHER]),
    "bare, on a line of its own": (f"Well:\n  {FISH}", ["Well:\n", SEARCH]),
    "bare, on many lines": (json.dumps(json.loads(OSLO), indent=2), [WEATHER]),
    "bare, several": (f"{OSLO}\n{FISH}", [WEATHER, SEARCH]),
    "list": (f"[{OSLO}, {FISH}]", [WEATHER, SEARCH]),
    "fence": (f"Sure:\n```json\n{OSLO}\n```\nThat was it.", ["Sure:\n", WEATHER, "That was it."]),
    "two fences": (f"```json\n{OSLO}\n```\n\n```json\n{FISH}\n```", [WEATHER, SEARCH]),
    "list in a fence": (f"```\n[\n {OSLO},\n {FISH}\n]\n```", [WEATHER, SEARCH]),
    "tags in a fence": (f"```xml\n<tool_call>\n{OSLO}\n</tool_call>\n```", [WEATHER]),
    "qwen xml": (XML, [WEATHER]),
    "qwen xml, twice": (f"{XML}\n{XML}", [WEATHER, WEATHER]),
    "qwen xml, bare": (XML.replace("<tool_call>\n", "").replace("\n</tool_call>", ""), [WEATHER]),
    "qwen xml, none": ("<function=search>\n</function>", [("search", {})]),
    "llama": (f"<|python_tag|>{FISH}; {OSLO}", [SEARCH, WEATHER]),
    "llama, tags": ('<function=search>{"q": "fish"}</function>', [SEARCH]),
    "mistral": (f"[TOOL_CALLS][{OSLO}, {FISH}]", [WEATHER, SEARCH]),
    "doubled braces": (f"{{{OSLO}}}", [WEATHER]),
    "openai": (f'{{"type": "function", "function": {FISH}}}', [SEARCH]),
    "quoted": ('{"name": "search", "arguments": "{\\"q\\": \\"fish\\"}"}', [SEARCH]),
    "none": ('<tool_call>{"name": "search"}</tool_call>', [("search", {})]),
    "null": ('<tool_call>{"name": "search", "arguments": null}</tool_call>', [("search", {})]),
    "raw line break": ('{"name": "search", "arguments": {"q": "a\nb\tc"}}', [("search", {"q": "a\nb\tc"})]),
}
TEXTS = [
    "Hello.",
    '{"name": "Ada", "arguments": {}}',
    '{"name": "weather"}',
    '{"name": "weathers", "arguments": {}}',
    '<tool_call>\n{"name": "other", "arguments": {"a": 1}}\n</tool_call>',
    f"In the text: {OSLO}",
    f"`{OSLO}`",
    "```python\nprint({})\n```\n",
    "<function=other>\n</function>",
    "A <tool_call> is a tag, and so is <tools>.",
    '[{"name": "Ada"}, {"name": "weather"}]',
    '<tool_call>\n{"name": "weat',
    "  {\n",
]


def cut(text: str, cuts: list[int]) -> list[str]:
    """The text in pieces."""
    ends = sorted({at % (len(text) + 1) for at in cuts} | {len(text)})
    return [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def read(pieces: list[str]) -> list[Any]:
    """Texts, and calls with the text of their arguments."""
    reader = ToolCallReader(TOOLS)
    out: list[Any] = []
    for part in [part for piece in pieces for part in reader.feed(piece)] + reader.finish():
        if isinstance(part, CallBegins):
            out.append((part.name, ""))
        elif isinstance(part, CallArguments):
            out[-1] = (out[-1][0], out[-1][1] + part.text)
        elif isinstance(part, str):
            out = [*out[:-1], out[-1] + part] if out and isinstance(out[-1], str) else [*out, part]
    return out


@pytest.mark.parametrize("form", CALLS)
def test_a_form_that_models_write_is_a_call(form: str) -> None:
    text, expected = CALLS[form]
    found = [one if isinstance(one, str) else (one[0], json.loads(one[1])) for one in read([text])]

    assert expected == found


@given(st.sampled_from([text for text, _ in CALLS.values()]), st.lists(st.integers(0, 400)))
def test_however_it_is_cut_the_calls_are_the_same(text: str, cuts: list[int]) -> None:
    assert read([text]) == read(cut(text, cuts))
    assert read([text]) == read([*text])


@given(st.sampled_from(TEXTS), st.lists(st.integers(0, 100)))
def test_what_only_looks_like_a_call_comes_out_letter_for_letter(text: str, cuts: list[int]) -> None:
    assert [text] == read(cut(text, cuts))


_TAGS = ("<tool_call>", "</tool_call>", "```json", "<function=", "</parameter>", "<parameter=city>", "</function>")
_WORDS = ("weather", "search>", '"name": "', '"arguments": ', '{"name": "')
_SNIPPETS = [*'<>{}[]"` \n:,x', *_TAGS, *_WORDS, OSLO, FISH]


@given(st.lists(st.sampled_from(_SNIPPETS), max_size=16), st.lists(st.integers(0, 300)))
def test_whatever_a_model_writes_the_pieces_make_no_difference(snippets: list[str], cuts: list[int]) -> None:
    text = "".join(snippets)

    assert read([text]) == read(cut(text, cuts))


@given(st.text("<tol_ca>/{}x", max_size=40), st.lists(st.integers(0, 60)))
def test_text_that_is_no_call_comes_out_as_it_was(text: str, cuts: list[int]) -> None:
    assert text == "".join(read(cut(text, cuts)))


def test_text_before_a_call_and_arguments_do_not_wait() -> None:
    reader = ToolCallReader(TOOLS)

    assert ["Let me look.\n"] == reader.feed("Let me look.\n<tool")
    assert [] == reader.feed('_call>\n{"name": "sea')
    begins, first = reader.feed('rch", "arguments": {"q": "fi')
    assert isinstance(begins, CallBegins) and CallArguments('{"q": "fi') == first
    assert [CallArguments("sh")] == reader.feed("sh")


def test_what_was_held_back_is_shown_as_soon_as_it_is_no_call() -> None:
    reader = ToolCallReader(TOOLS)

    assert [] == reader.feed('```json\n{"name": "')
    assert ['```json\n{"name": "Ada'] == reader.feed("Ada")


def test_calls_have_names_of_their_own() -> None:
    reader = ToolCallReader(TOOLS)
    begins = [part for part in reader.feed(f"{OSLO}\n{FISH}\n{FISH}") if isinstance(part, CallBegins)]

    assert 3 == len({call.id for call in begins})
    assert all(call.id.startswith("call_") for call in begins)
