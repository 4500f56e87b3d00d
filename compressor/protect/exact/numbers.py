"""Numbers with their sign, currency and unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from heapq import merge

from moosproxy.compressor.protect.exact.numerals import SPELLED, compounds
from moosproxy.compressor.text.layout import Span, matches
from moosproxy.compressor.text.lexicon import any_of, lowered, spellings, whole_lowered, words

_UNITS = words("""
    % ‰ ° °C °F ℃ ℉ µm μm nm mm cm dm m km ft yd mi mph km/h kmh m/s kn mg g kg t lb lbs oz ml mL cl dl l
    L gal ns µs μs us ms s sec secs min mins h hr hrs Hz kHz MHz GHz THz B KB kB MB GB TB PB KiB MiB GiB
    TiB bit bits byte bytes kb Mb Gb Mbps Gbps kbps bps W kW MW GW Wh kWh MWh GWh V kV mV A mA Ah mAh J kJ
    MJ N kN Pa kPa MPa bar psi K rpm dB px pt em rem fps dpi ppm ppb mol mmol kcal cal eV keV MeV GeV bp
    bps percent per_cent percentage points point degrees degree second seconds minute minutes hour hours
    day days week weeks month months year years decade decades century centuries meter meters metre metres
    kilometer kilometers kilometre kilometres mile miles foot feet inch inches acre acres hectares gram
    grams kilogram kilograms kilo kilos ton tons tonne tonnes pound pounds liter liters litre litres dozen
    hundred thousand million billion trillion mln bn tn dollars dollar cents euros euro yen yuan rupees
    rubles francs USD EUR GBP JPY CNY CHF INR RUB AUD CAD KRW tokens token items item times time people
    requests rows lines pages words retries attempts errors users Prozent Jahre Jahren Tage Tagen Stunden
    Minuten Sekunden Millionen Milliarden Uhr ans jours heures minutes secondes años días horas minutos
    segundos por_ciento millones лет года год дней часов минут секунд процентов рублей тысяч миллионов км
    кг м
""")
_CJK_UNITS = words("""
    個 个 人 名 件 年 月 日 天 号 號 時 时 分 秒 点 點 週 周 歲 岁 元 円 块 塊 角 美元 欧元 日元 人民币
    港元 ドル ユーロ 万 萬 亿 億 千 百 兆 米 公里 千米 厘米 毫米 英里 公斤 千克 克 吨 噸 斤 升 平方米
    平方公里 度 次 回 本 册 条 條 张 張 只 隻 台 辆 輛 家 所 座 位 项 項 种 種 层 層 页 頁 章 节 節 届 屆
    倍 小时 小時 時間 分钟 分鐘 分間 秒钟 ヶ月 か月 年間 日間 番 番目 歳 階 線 号線 つ 개 명 원 년 월 일
    시 분 초 살 번 회 만 억 퍼센트 キロ メートル センチ グラム トン パーセント
""")

# Between two numbers: without it "18,400 of the 61,250" would be a number of its own.
_JOINTS = re.compile(
    r" (?:of(?: the)?|out of(?: the)?|to|and|or|per|by|vs\.?|versus|von|bis|und|oder|de|à|a|y|o|et|ou) "
)
_LONGEST_JOINT = len(" out of the ")
# Before a number: what it bounds. "At most 5" must not become "5".
_BOUNDS = words("""
    below above under over between within exactly at_least at_most up_to more_than less_than fewer_than
    not_more_than no_more_than no_fewer_than greater_than
""")
_LONGEST_BOUND = max(map(len, _BOUNDS)) + 2

_MORE_DIGITS = r"(?:[.,'’·٫٬\u00a0\u202f]\d++)*+"
_REST = rf"\d*+{_MORE_DIGITS}(?:[-–—/:×^~～]\d++{_MORE_DIGITS})*+(?:[eE][+-]?\d++)?"
_LATIN = "A-Za-z_\u00c0-\u024f\u0370-\u03ff\u0400-\u052f"
_NUMBER = re.compile(
    rf"(?:\d(?<![{_LATIN}\d].)|[½⅓⅔¼¾⅛])(?:(?<=\d){_REST})?[½⅓⅔¼¾⅛]?"
    rf"(?:\s?[-‐]?(?:{any_of(_UNITS)})(?![{_LATIN}\d])"
    rf"|[A-Za-z]{{1,4}}(?![A-Za-z])|\s?[$€£¥₹₽₩]"
    rf"|\s?(?:{any_of(_CJK_UNITS)})+)?"
)
_SPELLED = re.compile(whole_lowered(SPELLED))
_IN_WORDS = frozenset({" ", "-", " and "})
"""Between two words of one number: twenty-one, one hundred and six."""
_UNIT = re.compile(rf" (?:{any_of(_UNITS)})(?![{_LATIN}\d])")
_BOUND = re.compile(rf"(?<!\w)(?:{any_of(spellings(_BOUNDS))}) $")
_SIGNS = frozenset("+-−±~≈<>≤≥=#№")
_CURRENCY = frozenset("$€£¥₹₽₩฿¢￥＄")
_CODE_BEFORE = re.compile(r"(?<![A-Za-z])(?:USD|EUR|GBP|JPY|CNY|CHF|INR|RUB|AUD|CAD|US|Rs\.?|No\.?|RMB) ?$")


def number(text: str) -> Iterator[Span]:
    """Digits of any script with sign, separators, currency or unit: -3.5 %, 1,234.5, $3.50, 10ms, 5个.

    Spelled-out ones with their unit: ten minutes, zwölftausend Euro, 六十人. A bound before a number
    belongs to it (at most 5), and so does what joins two (3 of the 5). Digits that continue a word (H1N1) are an
    id's, not a number.
    """
    held: Span | None = None
    for start, end in merge(_digits(text), _spelled(text), sorted(compounds(text))):
        if held is not None and (start <= held[1] or _joined(text, held[1], start)):
            held = held[0], max(held[1], end)
            continue
        if held is not None:
            yield held
        held = _with_bound(text, start), end
    if held is not None:
        yield held


def _digits(text: str) -> Iterator[Span]:
    for match in matches(_NUMBER, text):
        yield _with_prefix(text, match.start()), match.end()


def _spelled(text: str) -> Iterator[Span]:
    """Numbers in words, each with the unit behind it."""
    held: Span | None = None
    for start, end in (match.span() for match in matches(_SPELLED, lowered(text))):
        if held is not None and text[held[1] : start].lower() in _IN_WORDS:
            held = held[0], end
            continue
        if held is not None:
            yield _with_unit(text, held)
        held = start, end
    if held is not None:
        yield _with_unit(text, held)


def _with_unit(text: str, span: Span) -> Span:
    unit = _UNIT.match(text, span[1])
    return (span[0], unit.end()) if unit else span


def _joined(text: str, end: int, start: int) -> bool:
    """Whether nothing but a joint lies between the end of one number and the start of the next."""
    return start - end <= _LONGEST_JOINT and _JOINTS.fullmatch(text, end, start) is not None


def _with_bound(text: str, start: int) -> int:
    """The start moved left over a bound."""
    if start < 2 or text[start - 1] != " " or not text[start - 2].isalpha():
        return start
    bound = _BOUND.search(text, max(0, start - _LONGEST_BOUND), start)
    return bound.start() if bound else start


def _with_prefix(text: str, start: int) -> int:
    """The start moved left over currency and sign."""
    before = text[start - 1] if start else ""
    if before in _CURRENCY and before:
        start -= 1
    elif before == " " and start > 1 and (text[start - 2] in _CURRENCY or text[start - 2].isupper()):
        if text[start - 2] in _CURRENCY:
            start -= 2
        elif code := _CODE_BEFORE.search(text, max(0, start - 5), start):
            start = code.start()
    if start and text[start - 1] in _SIGNS and (start == 1 or not text[start - 2].isalnum()):
        start -= 1
    return start
