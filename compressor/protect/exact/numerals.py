"""Numbers in words: which words they are made of, in scripts with and without blanks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, matches
from moosproxy.compressor.text.lexicon import any_of, spellings, words

SPELLED = frozenset(
    words("""
        two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion
        dozen half twice thrice zwei drei vier fünf sechs sieben acht neun zehn zwölf dreizehn vierzehn fünfzehn
        sechzehn siebzehn achtzehn neunzehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig
        hundert tausend millionen milliarden dutzend deux trois quatre cinq sept huit dix onze douze treize
        quatorze quinze vingt trente quarante cinquante soixante quatre-vingts cents mille milliers milliard
        douzaine dos tres cuatro cinco siete ocho nueve diez doce trece catorce dieciséis diecisiete dieciocho
        diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete
        veintiocho veintinueve treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ciento doscientos
        trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos mil millón millones
        docena dois duas três quatro oito nove dez doze treze quinze vinte trinta quarenta cinquenta sessenta
        oitenta duzentos trezentos quinhentos milhão milhões dúzia два две три четыре пять шесть семь восемь
        девять десять одиннадцать двенадцать тринадцать четырнадцать пятнадцать шестнадцать двадцать тридцать
        сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто сто двести триста четыреста пятьсот тысяча
        тысячи тысяч миллион миллиона миллионов двух трёх четырёх пяти шести семи восьми девяти десяти двадцати
        тридцати полтора
""")
)
"""Numbers in words, in lower case. Those that mean something else in another of the languages are left out."""

_GERMAN = (
    "ein eins zwei zwo drei vier fünf fuenf sechs sech sieben sieb acht neun zehn elf zwölf zwanzig dreißig "
    "dreissig vierzig fünfzig sechzig siebzig achtzig neunzig hundert tausend und"
)
_FIRST = _GERMAN.removesuffix(" und")
_COMPOUND = re.compile(
    rf"(?<!\w)(?:{any_of(spellings(words(_FIRST)))})(?:{any_of(words(_GERMAN))}){{1,12}}+(?:ste[nrms]?|tel|fache?|mal)?+"
    r"(?!\w)"
)

_DIGITS = "零〇一二两兩三四五六七八九"
_TENS = "十百千万萬亿億拾佰仟廿卅"
_MEASURES = (
    "个個人名位件年月日天号號時时分秒点點週周歲岁歳元円块塊角度次回本册冊条條张張只隻台臺辆輛家所座项項种種层層页頁章节節届屆"
    "倍米吨噸斤升把份枚匹着通棟軒杯瓶箱袋套双雙对對根支枝颗顆句段篇間间列行頭头口艘架株坪畳票席路楼階番つ成割"
)
# One numeral counts only beside a measure word: 一 begins many words, and 一个 is an article. Two are a number.
_EAST = re.compile(
    rf"(?:第|百分之|千分之)[{_DIGITS}{_TENS}]++[{_MEASURES}]?+|[{_DIGITS}{_TENS}]++分之[{_DIGITS}{_TENS}]++"
    rf"|(?!万一|十分(?![钟鐘之])|千万[别不要])[{_DIGITS}{_TENS}]{{2,}}+(?:点[{_DIGITS}]++)?+(?:[年月日号%％]|[{_MEASURES}]|平方)?+"
    rf"|(?<![{_DIGITS}{_TENS}])(?!十分(?!钟|鐘))[二两兩三四五六七八九十](?:[{_MEASURES}]|[かヶケ][月所国]|週間|時間|年間|日間)"
    rf"|一(?:[年月日号號時时点點回つ割成倍半](?!般)|人(?![々间間称])|本(?!来|的|当)|台|枚|匹)"
)
_KOREAN_COUNTERS = "개명원년월일시분초살번회마리권장대층호주배미터킬로그램퍼센트달러만"
_KOREAN = re.compile(
    r"(?<![\uac00-\ud7a3])(?:[일이삼사오육륙칠팔구]?[십백천만억]){1,6}+[일이삼사오육칠팔구]?"
    rf"\s?(?:[{_KOREAN_COUNTERS}]|개월|시간|주일|여)"
    r"|(?<![\uac00-\ud7a3])(?:열|스물|스무|서른|마흔|쉰|예순|일흔|여든|아흔)"
    r"(?:\s?(?:하나|둘|셋|넷|한|두|세|네|다섯|여섯|일곱|여덟|아홉))?(?:\s[개명살번시마권장대])?"
    r"|(?<![\uac00-\ud7a3])(?:한|두|세|네|다섯|여섯|일곱|여덟|아홉)\s[개명살번시마권장대달주배채척잔병]"
)


def compounds(text: str) -> Iterator[Span]:
    """German numbers in one word (zwölftausend), Chinese and Japanese ones with their measure word (六十人, 四台),
    Korean ones with their counter (예순 명)."""
    for match in matches(_COMPOUND, text):
        yield match.span()
    if not text.isascii():
        for pattern in (_EAST, _KOREAN):
            for match in matches(pattern, text):
                yield match.span()
