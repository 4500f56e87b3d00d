"""What the user asks: questions and instructions.

Both are asked at the edge of a message, beside the material, or marked by a tag or label. Material has questions
and imperatives of its own (transcripts, manuals, essays), which are material. Hence two rules:

* Questions: up to FEW question sentences are all protected. Where there are more, only those in the first and
  the last block (paragraph, or line in a text without blank lines), at most EDGE characters from the text's ends.
* Instructions: the content of <question>, <instructions> and the like, lines with a label ("Question:", "Task:"),
  and in the first and last block, within the same distance, sentences that start with an imperative or a request;
  in a block of at most SENTENCE characters all that follows such a sentence belongs to it.
  With more than FEW labelled lines (an FAQ, worked examples) only the last one counts, if it is within EDGE.
  How people ask has no end, so a first or last block or line of at most CLOSING characters beside a text BESIDE
  times as long counts as asked, whatever it says; a sign-off behind it does not hide it. In between, up to FEW
  lines of at most CLOSING characters that start with a request count too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.protect.asked import phrasing
from moosproxy.compressor.text.layout import Span, blocks, lines, matches, sentence_ends, trimmed

FEW = 3
EDGE = 1000
SENTENCE = 600
"""A question or instruction sentence has at most this many characters."""
CLOSING = 300
BESIDE = 8
SIGN_OFF = 60
"""A last block of at most this many characters ("Thanks, Anna") may have what was asked in front of it."""

_MARK = re.compile(r"[?？؟](?<![?？؟].)[?!？！]*+(?=[\s\"'”’»)\]」』*_]|$|(?<=[？؟]))")
_LABEL_LINE = re.compile(
    rf"^(?=\W{{0,4}}\w)(?:{phrasing.QUESTION_LABEL.pattern}|{phrasing.INSTRUCTION_LABEL.pattern})\S[^\n]*",
    re.MULTILINE,
)


def question(text: str) -> Iterator[Span]:
    """Sentences that end in ?, ？ or ؟, by the rule at the top of this module."""
    ends = [match.end() for match in matches(_MARK, text)]
    if len(ends) > FEW:
        first, last = edges(text)
        ends = [end for end in ends if end <= first[1] or end > last[0]]
    floor = 0
    for end in ends:
        yield _sentence_before(text, end, floor)
        floor = end


def instruction(text: str) -> Iterator[Span]:
    """Tagged and labelled requests, and imperatives at the edges, by the rule at the top of this module."""
    yield from tagged(text)
    labelled = list(label_lines(text))
    yield from labelled if len(labelled) <= FEW else (s for s in labelled[-1:] if s[1] > len(text) - EDGE)
    if text.strip():
        yield from _at_the_edges(text)
        yield from _between(text)


def tagged(text: str) -> Iterator[Span]:
    """The inner spans of <question>...</question>, <instructions>...</instructions> and their like."""
    if "</" not in text:
        return
    closed: dict[str, int] = {}
    floor = 0
    for match in matches(phrasing.TAG, text):
        if match.start() < floor:
            continue
        closing = f"</{match['name']}>"
        # A missing closing tag is looked for once, not once for every opening one.
        end = closed[closing] if closed.get(closing, 0) < 0 else text.find(closing, match.end())
        closed[closing] = end
        inner = trimmed(text, match.end(), max(end, match.end()))
        if inner[0] < inner[1]:
            floor = inner[1]
            yield inner


def label_lines(text: str) -> Iterator[Span]:
    """Lines such as "Question: who ..." and "Task: ...", at most SENTENCE characters of each."""
    if ":" in text or "：" in text:
        for match in matches(_LABEL_LINE, text):
            start, end = trimmed(text, match.start(), match.end())
            if not phrasing.looks_like_code(text[start : min(end, start + SENTENCE)]):
                yield start, min(end, start + SENTENCE)


def edges(text: str) -> tuple[Span, Span]:
    """The first and the last block, cut to EDGE characters from the start and from the end of the text."""
    found = blocks(text) or [(0, len(text))]
    (start, end), (last_start, last_end) = found[0], found[-1]
    return (start, min(end, start + EDGE)), (max(last_start, last_end - EDGE), last_end)


def _sentence_before(text: str, end: int, floor: int) -> Span:
    low = max(floor, end - SENTENCE)
    # The mark itself is no earlier sentence's end.
    before = [cut for cut in sentence_ends(text, low, end - 1) if text[cut:end].strip(" \t\r\n?？؟!！")]
    return trimmed(text, before[-1] if before else low, end)


def _at_the_edges(text: str) -> Iterator[Span]:
    found = blocks(text)
    first, last = found[0], found[-1]
    yield from _imperatives(text, first[0], min(first[1], first[0] + EDGE))
    behind = [last] if len(found) > 1 else []
    while behind and len(behind) < min(3, len(found) - 1) and behind[-1][1] - behind[-1][0] <= SIGN_OFF:
        behind.append(found[-1 - len(behind)])
    for start, end in behind:
        yield from _imperatives(text, max(start, end - EDGE), end)
    ends = trimmed(text, max(last[0], text.rfind("\n", last[0], last[1])), last[1])
    begins = trimmed(text, first[0], text.find("\n", *first) if "\n" in text[slice(*first)] else first[1])
    for start, end in (first, begins, *behind, ends):
        if (end - start) <= min(CLOSING, (len(text) - (end - start)) // BESIDE):
            yield start, end


def _between(text: str) -> Iterator[Span]:
    """Lines that start with a request, where only FEW do: more are directions to the material's readers."""
    asked = [
        trimmed(text, start, end)
        for start, end in lines(text)
        if start < end <= start + CLOSING and phrasing.is_request(text[start:end].lstrip())
    ]
    if len(asked) <= FEW:
        yield from asked


def _imperatives(text: str, start: int, end: int) -> Iterator[Span]:
    if phrasing.looks_like_code(text[start:end]):
        return
    cursor = start
    for cut in [*sentence_ends(text, start, end), end]:
        first, last = trimmed(text, cursor, cut)
        cursor = cut
        if first < last <= first + SENTENCE and phrasing.is_request(text[first:last]):
            if end - start <= SENTENCE:  # a short block that asks for something asks with all that follows in it
                yield trimmed(text, first, end)
                return
            yield first, last
