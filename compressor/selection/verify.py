"""What must be put back after selection, so that what is left of a sentence does not say something else.

A sentence (or line) counts as kept if at least one content word of it was kept: anything but stop words and
punctuation. Then every number, date, id, version, severity and negation in it must be there, together with the
word it qualifies: "not approved" must become neither "approved" nor "not", "12 patients" neither "patients" nor
"12". A quoted string must be whole if a content word of it was kept, or half of its sentence's words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from moosproxy.compressor import protect
from moosproxy.compressor.protect import ProtectedSpan
from moosproxy.compressor.protect.exact.numerals import SPELLED
from moosproxy.compressor.settings import Kind
from moosproxy.compressor.text.layout import Span, sentence_ends
from moosproxy.compressor.text.lexicon import words as listed

IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

KINDS = (Kind.VERSION, Kind.ID, Kind.DATE, Kind.NUMBER, Kind.SEVERITY, Kind.NEGATION, Kind.QUOTED)
"""What is verified, the first kind naming a word that several claim."""

QUOTE_SHARE = 0.5
"""Share of a sentence's words that must be kept for its quotations to be owed."""

PASSES = 8
"""Words put back may bring a quotation into debt, which may bring the next sentence to life, and so on."""

REACH = 5
"""A qualifier's head is sought among so many words behind it."""

# Words looked at together, and word forms remembered: bounds on memory, whatever the length of the text.
_BLOCK_WORDS = 32_768
_MEMORY_WORDS = 100_000

_STOP = frozenset(
    listed("""
    a an the this that these those it its he him his she her they them their we us our you your i me my
    mine who whom whose which what there here is am are was were be been being do does did done have has
    had having will would shall should can could may might must ought get gets got and or but so if then
    than as of in on at by for with from to into onto over under about after before between through during
    up down out off again further once also just only very too more most much many such own same other
    some any each all both few s t d ll m o re ve y ok oh uh um der die das den dem des ein eine einen
    einem einer und oder ist sind war im von zu mit für auf el la los las un una y o de del que en es son
    por con le les et ou du des au aux est sont il elle на и в с по что это 的 了 是 在 和 与 也 就 都 而
    及 之 を に が は の で と も た て
""")
)
_HAN = ("\u3400", "\u9fff")
# Words between a negation and what it negates: "was not yet fully approved", "no longer be used".
_TRANSPARENT = _STOP | frozenset(
    listed("""
    yet fully quite really always ever even necessarily longer currently previously actually entirely
    completely directly immediately generally
    有 被 能 会 會 要 再 曾
""")
)


class Verifier:
    """What one text owes, for any choice of kept words. Linear in words and spans; asked again cheaply.

    content: whether each word is neither stop word nor punctuation, shape (words,).
    """

    def __init__(
        self, text: str, starts: IntArray, ends: IntArray, found: Sequence[ProtectedSpan] | None = None
    ) -> None:
        """starts, ends: of the words, ascending and disjoint, shape (words,). found: spans that protection has
        already found; without it the text is searched for KINDS."""
        self._unit = np.searchsorted(np.array(sentence_ends(text), np.intp), starts, side="right")
        self._units = int(self._unit[-1]) + 1 if len(starts) else 0
        self._size = np.bincount(self._unit, minlength=self._units)
        self.content = _content(text, starts, ends)
        if found is None:
            found = protect.find(text, frozenset(KINDS))
        located = {kind: _located(starts, ends, found, kind) for kind in KINDS}
        self._spans = located
        self.pairs = _pairs(text, starts, ends, self._unit, located)

    def missing(self, kept: Sequence[bool] | BoolArray) -> list[tuple[int, str]]:
        """Words to put back, ascending, each with the kind that claims it. kept: one flag for each word.

        Putting the words back and asking again gives nothing new, unless more than PASSES debts hang together.
        """
        flags = np.asarray(kept, bool).copy()
        owed: dict[int, str] = {}
        for _ in range(PASSES):
            before = len(owed)
            alive = np.bincount(self._unit[flags & self.content], minlength=self._units) > 0
            for kind, (first, last) in self._spans.items():
                live = alive[self._unit[first]]
                if kind == Kind.QUOTED:
                    live &= self._quotes_owed(first, last, flags)
                _owe(owed, flags, _ranges(first[live], last[live]), kind)
            for kind, (qualifier, head) in self.pairs.items():
                _owe(owed, flags, head[flags[qualifier]], kind)
            if len(owed) == before:
                break
        return sorted(owed.items())

    def _quotes_owed(self, first: IntArray, last: IntArray, flags: BoolArray) -> BoolArray:
        """Quotations with a kept content word, or in a sentence of which QUOTE_SHARE is kept. Shape (spans,)."""
        content = np.concatenate(([0], np.cumsum(flags & self.content)))
        share = np.bincount(self._unit[flags], minlength=self._units) / np.maximum(self._size, 1)
        return (content[last] > content[first]) | (share[self._unit[first]] >= QUOTE_SHARE)


def missing(
    text: str,
    words: Sequence[Span],
    kept: Sequence[bool] | BoolArray,
    found: Sequence[ProtectedSpan] | None = None,
) -> list[tuple[int, str]]:
    """Verifier.missing for words given as spans."""
    return Verifier(text, *_bounds(words), found).missing(kept)


def qualifies(
    text: str, words: Sequence[Span], found: Sequence[ProtectedSpan] | None = None
) -> list[tuple[int, int]]:
    """Pairs of word indices (qualifier, head): a negation and what it negates, a number and what it counts."""
    pairs = Verifier(text, *_bounds(words), found).pairs.values()
    return [pair for sides in pairs for pair in zip(sides[0].tolist(), sides[1].tolist(), strict=True)]


def _bounds(words: Sequence[Span]) -> tuple[IntArray, IntArray]:
    flat = np.array(words, np.intp).reshape(-1, 2)
    return flat[:, 0], flat[:, 1]


def _owe(owed: dict[int, str], flags: BoolArray, indices: IntArray, kind: Kind) -> None:
    new = np.unique(indices[~flags[indices]])
    flags[new] = True
    owed.update((index, kind.value) for index in new.tolist())


def _ranges(first: IntArray, last: IntArray) -> IntArray:
    """All indices of the half-open ranges, concatenated."""
    sizes = last - first
    skipped = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.asarray(np.arange(int(sizes.sum())) - skipped + np.repeat(first, sizes))


def _located(
    starts: IntArray, ends: IntArray, found: Sequence[ProtectedSpan], kind: Kind
) -> tuple[IntArray, IntArray]:
    """First word and last word + 1 of every span of a kind that covers a word."""
    of_kind = [(span.start, span.end) for span in found if span.kind == kind]
    begin, end = _bounds(of_kind)
    first = np.searchsorted(ends, begin, side="right")
    last = np.searchsorted(starts, end, side="left")
    return first[first < last], last[first < last]


def _content(text: str, starts: IntArray, ends: IntArray) -> BoolArray:
    """Whether each word is neither stop word nor punctuation, shape (words,)."""
    known: dict[str, bool] = {}
    mask = np.zeros(len(starts), bool)
    for at in range(0, len(starts), _BLOCK_WORDS):
        block = zip(starts[at : at + _BLOCK_WORDS].tolist(), ends[at : at + _BLOCK_WORDS].tolist(), strict=True)
        for index, (start, end) in enumerate(block, at):
            form = text[start:end]
            content = known.get(form)
            if content is None:
                content = known[form] = _is_content(form)
                if len(known) > _MEMORY_WORDS:
                    known.clear()
            mask[index] = content
    return mask


def _is_content(form: str, stop: Collection[str] = _STOP) -> bool:
    return (form[0].isalnum() or form[-1].isalnum()) and form.lower() not in stop


def _pairs(
    text: str, starts: IntArray, ends: IntArray, unit: IntArray, located: Mapping[Kind, tuple[IntArray, IntArray]]
) -> dict[Kind, tuple[IntArray, IntArray]]:
    """(qualifiers, heads) for negations and numbers that have a head in the same sentence."""
    counts_nothing = {int(last) for kind in (Kind.DATE, Kind.ID, Kind.VERSION) for last in located[kind][1]}
    found: dict[Kind, tuple[IntArray, IntArray]] = {}
    for kind, reach in ((Kind.NUMBER, 1), (Kind.NEGATION, REACH)):
        pairs: list[Span] = []
        for last in located[kind][1].tolist():
            # A unit is part of a number's span; only a bare number counts what stands right behind it.
            if kind == Kind.NUMBER and (
                last in counts_nothing or not _bare(text[starts[last - 1] : ends[last - 1]])
            ):
                continue
            head = _next_content(text, starts, ends, unit, last, reach)
            if head is not None:
                pairs.append((last - 1, head))
                if _continues_ideographs(text, starts, ends, head):
                    pairs.append((last - 1, head + 1))
        found[kind] = _bounds(pairs)
    return found


def _bare(form: str) -> bool:
    """Whether a number ends in this word and not in a unit."""
    return form[-1].isdecimal() or form.lower() in SPELLED


def _continues_ideographs(text: str, starts: IntArray, ends: IntArray, head: int) -> bool:
    """Whether head is a single ideograph that the next word continues: words of two are the rule in Chinese."""
    if head + 1 >= len(starts) or ends[head] - starts[head] > 1:
        return False
    here, there = text[starts[head]], text[starts[head + 1]]
    return bool(ends[head] == starts[head + 1]) and _HAN[0] <= min(here, there) and max(here, there) <= _HAN[1]


def _next_content(
    text: str, starts: IntArray, ends: IntArray, unit: IntArray, index: int, reach: int
) -> int | None:
    for candidate in range(index, min(index + reach, len(starts))):
        if unit[candidate] != unit[index - 1]:
            return None
        form = text[starts[candidate] : ends[candidate]]
        if not form[0].isalnum():
            if form in ("-", "'", "’", '"', "“", "(", "*", "_", "`"):
                continue
            return None
        if _is_content(form, _TRANSPARENT):
            return candidate
        if reach == 1:
            return None
    return None
