"""Which words carry content, and which two words count as the same one. One lexicon a language.

Labels are made with this; serving never needs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache

import snowballstemmer

from moosproxy.compressor.text import words
from moosproxy.compressor.text.patterns import Pattern

# Negations are missing on purpose: they change what a sentence says.
_ENGLISH_STOP = frozenset(
    """
    a about above after again against all also although am an and any are as at be because been before being
    below between both but by can could did do does doing done down during each either else ever every few for
    from further had has have having he her here hers herself him himself his how however i if in into is it its
    itself just let made make many may me might more most much must my myself neither nor of off often on once
    only or other others ought our ours ourselves out over own per please rather same shall she should since so
    some such than that the their theirs them themselves then there these they this those through thus to too
    under until up upon us use used using very via was we were what when where whether which while who whom
    whose why will with within without would yet you your yours yourself yourselves
    's s t d ll re ve m
    i'm i've i'll i'd it's that's there's he's she's we're we've they're you're you've let's what's who's
    """.split()  # noqa: SIM905 - a list of a hundred quoted words is harder to read
)
_FILLERS = frozenset(
    """
    um uh uhm hmm hm mm mmm mhm huh yeah yep okay ok oh ah er erm
    disfmarker vocalsound pause gap nonvocalsound
    """.split()  # noqa: SIM905
)
_SNOWBALL = {"en": "english", "pt": "portuguese", "ar": "arabic"}
_HAS_LETTER = Pattern(r"[\p{L}\p{N}]")
_IDEOGRAPH = Pattern(r"^\p{Han}")

# A word in more than this share of a language's texts says little about any one of them.
COMMON_SHARE = 0.15


class Lexicon:
    """Content words and stems of one language."""

    def __init__(self, language: str, stop: frozenset[str]):
        self.language = language
        self.stop = stop
        self._stem = cache(_stemmer(language))

    @classmethod
    def learn(cls, language: str, texts: Iterable[str]) -> Lexicon:
        """English has a fixed list of stop words; elsewhere they are the words that most texts share."""
        if language == "en":
            return cls("en", _ENGLISH_STOP)
        counts: Counter[str] = Counter()
        total = 0
        for text in texts:
            total += 1
            counts.update({word.lower() for word in split(text) if not _IDEOGRAPH.match(word)})
        floor = max(COMMON_SHARE * total, 2)
        return cls(language, frozenset(word for word, count in counts.items() if count > floor))

    def keys(self, tokens: list[str]) -> list[str]:
        """One key a word: equal keys mean the same content word; "" marks stop words and punctuation.

        A lone ideograph says little: its key is the pair with the next ideograph.
        """
        keys = []
        for at, token in enumerate(tokens):
            lower = token.lower()
            if lower in self.stop or not _HAS_LETTER.search(lower):
                keys.append("")
            elif _IDEOGRAPH.match(lower):
                following = tokens[at + 1] if at + 1 < len(tokens) else ""
                keys.append(lower + (following if _IDEOGRAPH.match(following) else ""))
            else:
                keys.append(self._stem(lower))
        return keys

    def key_set(self, text: str) -> frozenset[str]:
        """Keys of all content words of a text."""
        return frozenset(self.keys(split(text))) - {""}


def is_filler(word: str) -> bool:
    """Whether a word of spoken language only fills time."""
    return word.lower() in _FILLERS


def split(text: str) -> list[str]:
    """The words of a text as strings."""
    starts, ends = words.find(text)
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _stemmer(language: str) -> Callable[[str], str]:
    name = _SNOWBALL.get(language)
    if name is None:
        return lambda word: word
    stem: Callable[[str], str] = snowballstemmer.stemmer(name).stemWord
    return lambda word: stem(word.removesuffix("'s").removesuffix("’s"))
