"""What the user asks: questions and instructions.

Both are asked at the edge of a message, beside the material, or marked by a tag or label. Material has questions
and imperatives of its own (transcripts, manuals, essays), which are material. Hence two rules:

* Questions: up to FEW question sentences are all protected. Where there are more, only those in the first and
  the last block (paragraph, or line in a text without blank lines), at most EDGE characters from the text's ends.
* Instructions: the content of <question>, <instructions> and the like, lines with a label ("Question:", "Task:"),
  and in the first and last block, within the same distance, sentences that start with an imperative or a request;
  in a block of at most SENTENCE characters all that follows such a sentence belongs to it.
  With more than FEW labelled lines (an FAQ, worked examples) only the last one counts, if it is within EDGE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from compressor.protect import phrasing
from compressor.protect.layout import Span, blocks, matches, sentence_ends, trimmed

FEW = 3
EDGE = 1000
SENTENCE = 600
"""A question or instruction sentence has at most this many characters."""

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
        first, last = edges(text)
        yield from _imperatives(text, *first)
        if last[0] >= first[1]:
            yield from _imperatives(text, *last)


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
