"""Sentences that mean the opposite once a word of them is gone, planted in plain paragraphs of six languages."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from tests.compressor.reversal.texts import FILLERS, NOUNS, TEMPLATES

SAFE = {
    "en": {"the", "a", "an", "very", "really", "extremely"},
    "de": {"sehr", "wirklich"},
    "es": {"la", "los", "las", "un", "una", "muy"},
    "fr": {"la", "le", "les", "un", "une", "très"},
    "zh": set(),
    "ja": set(),
}
"""The only words that a planted sentence may lose."""

UNSPACED = {"zh", "ja"}
_TOKEN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_MARK = re.compile(r"\[…[^\]]*\]")


@dataclass(frozen=True)
class Document:
    """A text with the sentences that were planted in it."""

    language: str
    text: str
    planted: tuple[str, ...]


def sentences(language: str) -> list[str]:
    """Every template with every pair of nouns that is its turn: no two alike."""
    nouns = NOUNS[language]
    found = []
    for number, template in enumerate(TEMPLATES[language]):
        for step in range(len(nouns) // 2):
            one, other = nouns[(2 * step + number) % len(nouns)], nouns[(2 * step + 1 + number) % len(nouns)]
            found.append(template.format(one, other))
    return list(dict.fromkeys(found))


def document(language: str, planted: list[str], *, beside: int = 4, seed: int = 1) -> Document:
    """A paragraph for each planted sentence, with so many plain ones around it."""
    rng = random.Random(seed)
    glue = "" if language in UNSPACED else " "
    paragraphs = []
    for sentence in planted:
        around = rng.sample(FILLERS[language], beside)
        around.insert(rng.randint(0, beside), sentence)
        paragraphs.append(glue.join(around))
    return Document(language, "\n\n".join(paragraphs), tuple(planted))


def fault(document: Document, sentence: str, output: str) -> str | None:
    """What is wrong with how a planted sentence came out; None if it is whole, or not there at all.

    Whole: all of its words and signs in their order, nothing between them, but for words of SAFE. Not there: no
    four words (six characters where there are no blanks) of it that stand nowhere else in the document.
    """
    plain = _MARK.sub("\x00", output)
    if whole(document.language, sentence).search(plain):
        return None
    for piece in _pieces(document.language, sentence):
        if piece.search(plain) and len(piece.findall(document.text)) == 1:
            return f"{document.language}: a part of {sentence!r} is left: {piece.search(plain)!r}"
    return None


def whole(language: str, sentence: str) -> re.Pattern[str]:
    """Matches the sentence with or without words of SAFE."""
    return _in_order(_TOKEN.findall(sentence), SAFE[language])


def _pieces(language: str, sentence: str) -> list[re.Pattern[str]]:
    if language in UNSPACED:
        return [re.compile(re.escape(sentence[at : at + 6])) for at in range(len(sentence) - 5)]
    kept = [token for token in _TOKEN.findall(sentence) if token.lower() not in SAFE[language]]
    return [_in_order(kept[at : at + 4], set(), SAFE[language]) for at in range(max(1, len(kept) - 3))]


def _in_order(tokens: list[str], optional: set[str], between: set[str] = frozenset()) -> re.Pattern[str]:  # type: ignore[assignment]
    gap = rf"\s*(?:(?i:{'|'.join(sorted(between))})\s+)*" if between else r"\s*"
    parts = [
        rf"(?:{re.escape(token)}\s*)?" if token.lower() in optional else re.escape(token) + gap for token in tokens
    ]
    return re.compile("".join(parts))
