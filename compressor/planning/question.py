"""The question or instruction that stands beside its material in one text, and the passages of that material.

Rules only, so that the same text always gives the same answer. Where they are not clear the answer is None:
scoring a document against a sentence that was never asked is worse than scoring it alone.
"""

from __future__ import annotations

import re

from moosproxy.compressor.protect.asked import phrasing, requests
from moosproxy.compressor.text.layout import Span, blocks, lines, matches, paragraphs, sentence_ends, trimmed

MATERIAL = 100
"""A text with fewer characters beside the question has no material worth the search."""
ASKING = 700
"""A block of more characters is material, not a question."""
DENSITY = 1500
"""Material with more than one question sentence per so many characters asks questions of its own."""
PASSAGE = 800
"""Characters of a passage where the text shows no passages of its own."""
SHORT = 60
"""A paragraph of fewer characters (a title, a caption) belongs to the one behind it."""

_SPEAKER = re.compile(r"[^\W\d_][^:：\n]{0,38}\s?[:：]\s")
_QUESTION_MARK = re.compile(r"[?](?=\s|[\"'”’»)\]」』]|$)|[？؟]")
_SEPARATOR = re.compile(r"\s{0,3}([-=*_~#])\1{2,}\s*$")
_BLOCK_TAG = re.compile(
    r"<(?P<name>document|doc|passage|source|context|chunk|article|result|text|snippet|excerpt|item|page|file)"
    r"(?:\s[^<>]{0,500})?>"
)


def find(text: str) -> Span | None:
    """The span of the question or instruction about the rest of the text, without label or tag; None if unclear.

    In this order: the content of the last <question> or <query> tag in the first or the last block, else of
    <instructions> and the like there; a line labelled "Question:" in the first or the last two blocks; the last
    block, then the first one, if it asks.
    A block is a paragraph, or a line in a text without blank lines. It asks if it is short, is no speaker's turn,
    heading or code, and is a question while the rest asks next to nothing, or a request while the rest requests
    next to nothing. What the rest asks does not count where the block stands apart: beside passages that all have
    a header, or beside a transcript.
    """
    if len(text) <= MATERIAL:
        return None
    return _tagged(text) or _at_the_edges(text)


def passages(text: str) -> list[Span]:
    """Disjoint ascending spans that cover all but white space: the passages the text consists of.

    The first that the text shows, at least two of them: <document> and similar elements; passages with a header
    line ("Document [1]", "Passage 3:", "2. ..."); separator lines (---); paragraphs, titles joined to what
    follows; lines or sentences in groups of about PASSAGE characters.
    """
    starts = _elements(text) or _headers(text) or _separators(text)
    if starts:
        return _cut_at(text, [0, *starts])
    found = paragraphs(text)
    if len(found) > 2:
        return _cut_at(text, _joined(found))
    cuts = [end + 1 for _, end in lines(text)][:-1]
    if len(cuts) < 2:
        cuts = sentence_ends(text)
    return _cut_at(text, _grouped([0, *cuts], len(text)))


def _tagged(text: str) -> Span | None:
    found = [span for span in requests.tagged(text) if _at_an_edge(text, span)]
    asking = [span for span in found if _tag_before(text, span) in phrasing.QUESTION_TAGS]
    for start, end in reversed(asking or found):
        if end - start <= 3 * ASKING and len(text) - (end - start) >= MATERIAL:
            return start, end
    return None


def _at_an_edge(text: str, span: Span) -> bool:
    """Whether a tag's content lies in the first or the last block: in between, passages carry their own."""
    found = blocks(text)
    return bool(found) and (span[0] < found[0][1] or span[1] > found[-1][0])


def _tag_before(text: str, span: Span) -> str:
    opening = text.rfind("<", 0, span[0])
    return text[opening + 1 : text.find(">", opening)].lower()


def _at_the_edges(text: str) -> Span | None:
    found = blocks(text)
    found = _without_answer_label(text, found)
    if len(found) < 2:
        return None
    tail = found[-2:] if len(found) > 2 else found[-1:]
    for block in (*reversed(tail), found[0]):
        if (span := _labelled(text, block)) and _has_material(text, span):
            return span
    for block, last in ((found[-1], True), (found[0], False)):
        if (span := _asking(text, block, last=last)) and _has_material(text, span):
            return span
    return None


def _without_answer_label(text: str, found: list[Span]) -> list[Span]:
    """Drop a trailing "Answer:" that waits for the model."""
    while found:
        start, end = found[-1]
        line_start = max(start, text.rfind("\n", start, end) + 1)
        match = phrasing.ANSWER_LABEL.match(text, line_start, end)
        if not match or text[match.end() : end].strip():
            break
        start, end = trimmed(text, start, line_start)
        found = [*found[:-1], (start, end)] if start < end else found[:-1]
    return found


def _has_material(text: str, span: Span) -> bool:
    return len(text) - (span[1] - span[0]) >= max(MATERIAL, 2 * (span[1] - span[0]))


def _labelled(text: str, block: Span) -> Span | None:
    """What follows the last "Question:" or "Task:" in the block, up to an "Answer:" line."""
    head = text[block[0] : min(block[1], block[0] + 8 * ASKING)]
    rows = [(start + block[0], end + block[0]) for start, end in lines(head)]
    for index in range(len(rows) - 1, -1, -1):
        row = rows[index]
        label = phrasing.QUESTION_LABEL.match(text, *row) or phrasing.INSTRUCTION_LABEL.match(text, *row)
        if not label:
            continue
        stop = block[1]
        for start, end in rows[index + 1 :]:
            if answer := phrasing.ANSWER_LABEL.match(text, start, end):
                if text[answer.end() : block[1]].strip():
                    return None  # a worked example: it has its answer already
                stop = start
                break
        start, end = trimmed(text, label.end(), stop)
        clear = 3 < end - start <= 2 * ASKING and not phrasing.looks_like_code(text[start:end])
        return (start, end) if clear else None
    return None


def _asking(text: str, block: Span, *, last: bool) -> Span | None:
    start, end = block
    if end - start > ASKING:
        # A long closing block may still end in a line of its own that asks.
        start, end = trimmed(text, max(start, text.rfind("\n", start, end) + 1), end)
    piece = text[start:end]
    if phrasing.QUESTION_LABEL.match(piece) or phrasing.INSTRUCTION_LABEL.match(piece):
        return None  # labelled, yet not clearly
    if not 0 < end - start <= ASKING or piece[0] == "#" or phrasing.looks_like_code(piece):
        return None
    if (piece.isascii() and len(piece.split()) < 2) or _is_turn(text, block, piece):
        return None
    apart = _stands_apart(text, block)
    if last and apart and _could_be_asked(piece):
        return start, end
    if _is_question(piece, last=last) and (apart or _asks_little(text, block)):
        return start, end
    if _is_request(piece) and not _requests(text, block):
        return start, end
    return None


def _could_be_asked(piece: str) -> bool:
    """The last block beside material of another form: anything that does not read like more of it."""
    if len(piece.split()) > 40 or _SPEAKER.match(piece) or phrasing.PASSAGE_HEADER.match(piece):
        return False
    return not piece.endswith((".", "。")) or phrasing.is_request(piece)


def _is_question(piece: str, *, last: bool) -> bool:
    rows = piece.split("\n")
    if any(map(phrasing.ends_as_question, (rows[0], rows[-1]))):
        # A title may end in a question mark; in front of its document a question starts like one.
        starts = phrasing.QUESTION_WORD.match(piece) or phrasing.ASKS_INSIDE.search(piece)
        return last or bool(starts or phrasing.REFERENCE.search(piece))
    # Asked without a question mark: "who wrote the iliad". A full stop would make it a clause of prose.
    if len(rows) > 1 or len(piece.split()) > 25 or piece.rstrip().endswith((".", "!", "。", ":", ",", ";", "：")):
        return False
    if not piece.isascii():
        return last and bool(phrasing.QUESTION_WORD.match(piece))
    return bool((phrasing.ASKS_WHAT if last else phrasing.QUESTION_WORD).match(piece)) and (
        last or piece[:1].islower()
    )


def _is_request(piece: str) -> bool:
    """Short, its first or last sentence starts with a request, and it speaks of the text or to the reader."""
    ends = [0, *(cut for cut in sentence_ends(piece) if piece[cut:].strip())]
    starts = (piece[cut:].lstrip() for cut in (ends[0], ends[-1]))
    asked = len(piece.split()) <= 80 and any(map(phrasing.is_request, starts))
    return asked and bool(phrasing.REFERENCE.search(piece))


def _stands_apart(text: str, block: Span) -> bool:
    """Whether all other blocks have a passage header, or most other lines are speakers' turns."""
    others = [span for span in blocks(text) if span[1] <= block[0] or span[0] >= block[1]]
    if len(others) == 1:
        low, high = others[0]
        others = [(low + start, low + end) for start, end in lines(text[low:high])]
    headed = sum(bool(phrasing.PASSAGE_HEADER.match(text, start, min(end, start + 80))) for start, end in others)
    if headed > 1 and headed * 5 >= len(others) * 4:
        return True
    rows = [row for row in _around(text, block).split("\n") if row.strip()]
    return len(rows) > 5 and sum(bool(_SPEAKER.match(row)) for row in rows) * 5 >= len(rows) * 4


def _is_turn(text: str, block: Span, piece: str) -> bool:
    """Whether the block is a speaker's turn like the other lines of a transcript."""
    if not _SPEAKER.match(piece):
        return False
    rows = [row for row in _around(text, block).split("\n") if row.strip()]
    return sum(bool(_SPEAKER.match(row)) for row in rows) * 2 >= max(1, len(rows))


def _around(text: str, block: Span) -> str:
    return text[max(0, block[0] - 4000) : block[0]] + text[block[1] : block[1] + 4000]


def _asks_little(text: str, block: Span) -> bool:
    """At most one question sentence per DENSITY characters outside the block."""
    asked = sum(1 for match in matches(_QUESTION_MARK, text) if not block[0] <= match.start() < block[1])
    return asked <= max(1, (len(text) - (block[1] - block[0])) // DENSITY)


def _requests(text: str, block: Span) -> bool:
    """Whether several other blocks start with an imperative too: then the text is a set of directions."""
    others = [span for span in paragraphs(text) if span[1] <= block[0] or span[0] >= block[1]]
    return sum(phrasing.is_request(text[start : min(end, start + 80)]) for start, end in others) > 2


def _cut_at(text: str, starts: list[int]) -> list[Span]:
    """The stretches between ascending starts, trimmed, without blank ones."""
    spans = (trimmed(text, start, end) for start, end in zip(starts, [*starts[1:], len(text)], strict=True))
    return [(start, end) for start, end in spans if start < end]


def _elements(text: str) -> list[int]:
    """Starts of the outermost repeated elements, and of what follows each of them."""
    starts: list[int] = []
    floor = 0
    missing: set[str] = set()
    for match in matches(_BLOCK_TAG, text) if "</" in text else ():
        closing = f"</{match['name']}>"
        if match.start() < floor or closing in missing:
            continue
        end = text.find(closing, match.end())
        if end < 0:
            missing.add(closing)
            continue
        floor = end + len(closing)
        starts += [match.start(), floor]
    # One element around everything is the material, not a passage of it.
    return sorted(set(starts)) if len(starts) > 2 else []


def _headers(text: str) -> list[int]:
    """Starts of lines with a passage header whose passages have SHORT characters or more on average."""
    rows = list(lines(text))
    starts = [start for start, end in rows if phrasing.PASSAGE_HEADER.match(text, start, min(end, start + 80))]
    if len(starts) < 2 or starts[0] > max(2 * PASSAGE, len(text) // 5):
        return []  # numbered notes behind a text, or a list in the middle of it
    return starts if (len(text) - starts[0]) // len(starts) >= 2 * SHORT else []


def _separators(text: str) -> list[int]:
    return [end for start, end in lines(text) if end - start < 90 and _SEPARATOR.match(text, start, end)]


def _joined(found: list[Span]) -> list[int]:
    """Starts of paragraphs, those of a short paragraph standing for the next one too."""
    starts: list[int] = []
    waiting: int | None = None
    for start, end in found:
        first = start if waiting is None else waiting
        waiting = first if end - first < SHORT else None
        if waiting is None:
            starts.append(first)
    return starts if waiting is None else [*starts, waiting]


def _grouped(starts: list[int], length: int) -> list[int]:
    """Those of the starts that leave groups of about PASSAGE characters."""
    kept = [0]
    for start, end in zip(starts, [*starts[1:], length], strict=True):
        if start > kept[-1] and end - kept[-1] > PASSAGE:
            kept.append(start)
    return kept
