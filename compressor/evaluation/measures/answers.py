"""Scores of short answers: exact match and token F1 with SQuAD's normalisation, and survival in a text."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

from moosproxy.compressor.text import words

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation + "。，、；：？！「」『』（）《》“”‘’؟،¿¡")


def normalise(answer: str) -> list[str]:
    """Lower-case words without punctuation and English articles; ideographs and kana count one by one."""
    text = _ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION))
    tokens: list[str] = []
    for chunk in text.split():
        if any("\u2e80" <= c <= "\ufaff" or "\u0e00" <= c <= "\u0eff" for c in chunk):
            starts, ends = words.find(chunk)
            tokens.extend(chunk[s:e] for s, e in zip(starts, ends, strict=True))
        else:
            tokens.append(chunk)
    return tokens


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1 if the answer equals one of the gold ones after normalisation, else 0."""
    mine = normalise(answer)
    return float(any(mine == normalise(gold) for gold in golds))


def f1(answer: str, golds: Sequence[str]) -> float:
    """Largest token F1 against any gold answer; two empty answers match."""
    mine = normalise(answer)
    return max((_overlap(mine, normalise(gold)) for gold in golds), default=0.0)


def _overlap(mine: list[str], gold: list[str]) -> float:
    if not mine or not gold:
        return float(mine == gold)
    same = sum((Counter(mine) & Counter(gold)).values())
    return 2 * same / (len(mine) + len(gold))


def survives(golds: Sequence[str], text: str) -> float:
    """1 if one of the gold answers stands in the text as an unbroken run of normalised words, else 0."""
    padded = " " + " ".join(normalise(text)) + " "
    return float(any((" " + " ".join(tokens) + " ") in padded for tokens in map(normalise, golds) if tokens))
