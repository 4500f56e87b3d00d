"""Negations, in every form that they take."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, matches
from moosproxy.compressor.text.lexicon import lowered, whole_lowered, words

_WORDS = words("""
    not never no none without cannot neither nor unless except excluding nobody nothing nowhere non hardly
    barely scarcely rarely seldom lack lacks lacked lacking dont doesnt didnt isnt arent wasnt werent wont cant
    couldnt shouldnt wouldnt hasnt havent hadnt mustnt neednt shant aint oughtnt
    nicht kein keine keinen keinem keiner keines nie niemals ohne weder niemand nichts nirgends keinesfalls
    keineswegs außer nunca jamás sin ni ningún ninguno ninguna tampoco nada nadie
    excepto salvo ne pas jamais aucun aucune sans rien nul nulle sauf não nem nenhum nenhuma sem ninguém jamais
    не нет ни никогда без нигде никак никакой никакие нельзя кроме никто ничто ничего нету
""")
_ARABIC = words("لا لم لن ليس ليست غير بدون دون عدم")
_NOT = re.compile(whole_lowered([*_WORDS, *_ARABIC]))
_CONTRACTED = re.compile(r"['’](?<=[nN].)[tT](?!\w)")
_ELIDED = re.compile(r"[nN](?<!\w.)['’](?=[aeiouyhéèêœAEIOUYHÉÈÊŒ])")  # n'est, n'a, n'y
_BEFORE = re.compile(r"(?<!\w)\w{1,8}$")
# Chinese and Japanese have no word borders: the exclusions are the frequent words that contain the sign by chance.
_CJK = re.compile(
    r"不(?!断|斷|同|过|過|仅|僅|但|只|少|久|管|论|論|如|妨|禁|料)"
    r"|没(?!收|落)|沒(?!收|落)|无(?!论|數|数|线)|無(?!論|数|線)|未(?!来|來|必)|非(?!常|洲)|勿|禁|除非|除了"
    r"|别(?=[再让去说动把忘])|并非|絕不|绝不"
    r"|ない(?<!少ない)|なかった|なく(?<!少なく)|ません|ぬ(?=[、。])|ずに|ず(?=[、。])|なし|なけれ|まい(?=[、。])|않|아니|없"
)


def negation(text: str) -> Iterator[Span]:
    """not, n't in every form, never, no, none, without, unless, except ... and the common ones of German, Spanish,
    French, Portuguese, Russian, Arabic, Chinese, Japanese and Korean.

    The lists are not switched by language, so English "sin" is taken for Spanish "without": a word too many.
    """
    for match in matches(_NOT, lowered(text)):
        yield match.span()
    for match in matches(_ELIDED, text):
        yield match.span()
    for match in matches(_CONTRACTED, text):
        word = _BEFORE.search(text, max(0, match.start() - 8), match.start())
        yield word.start() if word else match.start(), match.end()
    if not text.isascii():
        for match in matches(_CJK, text):
            yield match.span()
