"""Dates and times."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, matches
from moosproxy.compressor.text.lexicon import any_of, whole_word, words

_ENGLISH = words("""
    January February March April May June July August September October November December
""")
_SHORT = words("Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec")
_FOREIGN = words("""
    Januar Jänner Februar März Mai Juni Juli Oktober Dezember janvier février mars avril mai juin juillet
    août septembre octobre novembre décembre enero febrero marzo abril mayo junio julio agosto septiembre
    octubre noviembre diciembre janeiro fevereiro março maio junho julho setembro outubro dezembro gennaio
    febbraio aprile maggio giugno luglio settembre ottobre dicembre января февраля марта апреля мая июня
    июля августа сентября октября ноября декабря يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر
    أكتوبر نوفمبر ديسمبر
""")
_ALL = [*_ENGLISH, *_SHORT, *(name.upper() for name in (*_ENGLISH, *_SHORT)), *_FOREIGN]
_WEEKDAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_WEEKDAYS_SHORT = words("Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun")

_MONTH = rf"(?:{any_of(_ALL)})(?!\w)\.?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|CET|CEST|EST|EDT|PST|PDT|[+-]\d{2}:?\d{2})(?![\w]))?"
_CLOCK = rf"\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:[.,]\d++)?)?(?: ?[AaPp]\.?[Mm](?![A-Za-z])\.?)?{_ZONE}"
_ORDINAL = r"(?:st|nd|rd|th|er|º|\.)?"
_YEAR = r"(?:,?(?: |-|/)(?:de |del )?\d{2,4}(?!\d))?"

_FROM_DIGIT = re.compile(
    r"\d(?<![\w.]\d)(?:"
    rf"(?<=\d)\d{{3}}([-/.])\d{{1,2}}\1\d{{1,2}}(?!\d)(?:[T :_-]{_CLOCK})?"  # 2024-05-03T10:30:00Z
    rf"|\d?([-/.])\d{{1,2}}\2(?:\d{{4}}|\d{{2}})(?!\d)(?:[T :,_-]{{1,2}}{_CLOCK})?"  # 3/5/2024, 03.05.24 10:30
    rf"|\d?:\d{{2}}(?::\d{{2}}(?:[.,]\d++)?)?(?!\d)(?: ?[AaPp]\.?[Mm](?![A-Za-z])\.?)?{_ZONE}"  # 10:30:45.123
    r"|\d?(?:\.\d{2})? ?(?:[AaPp]\.[Mm]\.|[AaPp][Mm](?![A-Za-z])|Uhr(?!\w)|o['’]clock)"  # 5 pm
    r"|\d?h\d{2}(?!\w)"  # 14h30
    r"|\d{3}-\d{2}(?![\d-])"  # 2024-05
    r"|\d{3}0['’]?s(?!\w)|\d{2}0['’]?s(?!\w)"  # 1990s
    r")"
)
_FROM_DAY = re.compile(
    rf"\d(?<![\w.]\d)\d?(?=[a-zº.]{{0,2}}[ -][^\W\d]){_ORDINAL}[ -](?:of |de |d['’])?{_MONTH}{_YEAR}"
)
_MARKS = "年月日号號時时点點分秒년월일시분초"
_CJK = re.compile(rf"\d(?<!\d\d)\d{{0,3}} ?(?:[{_MARKS}](?: ?\d{{1,4}} ?(?=[{_MARKS}]))?)+[半前後]?")
_FROM_MONTH = re.compile(
    rf"{whole_word(_ALL)}\.?[ -](?:\d{{1,2}}(?:st|nd|rd|th)?(?!\d)(?:(?:, ?|[ -])\d{{4}}(?!\d))?|\d{{4}}(?!\d))"
    rf"(?:,? (?:at )?{_CLOCK}(?: \d{{4}}(?!\d))?)?"
)
_WEEKDAY = re.compile(rf"{whole_word(_WEEKDAYS)}|{whole_word(_WEEKDAYS_SHORT)}(?=,? (?:{_MONTH}|\d))")


def date(text: str) -> Iterator[Span]:
    """ISO and slashed dates, clock times, day and month names with a number, 年月日, decades, weekdays.

    A month name alone ("may", "march") is a word, not a date. Month names in English, German, French, Spanish,
    Portuguese, Italian, Russian and Arabic.
    """
    for pattern in (_FROM_DIGIT, _FROM_DAY, _CJK, _FROM_MONTH, _WEEKDAY):
        for match in matches(pattern, text):
            yield match.span()
