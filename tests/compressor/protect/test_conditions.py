"""Conditions, exceptions, limits, what did not happen after all; numbers in words."""

from __future__ import annotations

import pytest

from moosproxy.compressor.protect import find
from moosproxy.compressor.settings import Kind
from tests.compressor.linear import check_linear
from tests.compressor.protect.finds import covered, found


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("All machines but the lathe are his, but we know.", "All machines but"),
        ("He may enter only with a key.", "only"),
        ("Subject to section 4 he pays.", "Subject to"),
        ("The plan to sell it was given up.", "given up"),
        ("They called off the feast.", "called off"),
        ("He pays prior to delivery.", "prior to"),
        ("No later than May.", "No later"),
        ("He denied that it was safe.", "denied"),
        ("The dog stays as long as it is quiet.", "as long as"),
        ("It is older than the house.", "than"),
        ("Er darf den Hof nur mit Schlüssel betreten.", "nur"),
        ("Er zahlt, es sei denn, es regnet.", "es sei denn"),
        ("Der Plan wurde aufgegeben.", "aufgegeben"),
        ("Il est plus vieux que lui.", "plus vieux que"),
        ("Il part à condition de revenir.", "à condition"),
        ("Entra sólo con llave.", "sólo"),
        ("A menos que llueva, sale.", "A menos"),
        ("Ele paga, contanto que volte.", "contanto"),
        ("Он уйдёт, если пойдёт дождь.", "если"),
        ("他只有带着钥匙才能进门。", "只有"),
        ("如果下雨就取消。", "取消"),
        ("鍵がある場合に限り入れる。", "限り"),
        ("計画を断念した。", "断念"),
        ("비가 올 경우 취소합니다.", "취소"),
    ],
)
def test_conditions_are_found(text: str, piece: str) -> None:
    assert covered(text, Kind.CONDITION, piece)


@pytest.mark.parametrize(
    "text",
    [
        "The bridge is old and the river is wide.",
        "Tea, but with milk.",
        "Der Hund schläft im Hof.",
        "今天天气很好。",
        "",
    ],
)
def test_plain_sentences_hold_none(text: str) -> None:
    assert [] == found(text, Kind.CONDITION)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("总额是五千八百元。", "五千八百元"),
        ("只允许六十人在场。", "六十人"),
        ("少了百分之十五。", "百分之十五"),
        ("第三章说明如下。", "第三章"),
        ("トラックを四台予約した。", "四台"),
        ("二十日に着く。", "二十日"),
        ("예순 명이 왔다.", "예순 명"),
        ("오백 원을 냈다.", "오백 원"),
        ("Er zahlte zwölftausend Euro.", "zwölftausend"),
        ("Fünfundzwanzig Leute kamen.", "Fünfundzwanzig"),
        ("Debe treinta y dos euros.", "treinta y dos"),
        ("Il a vingt-cinq ans.", "vingt-cinq ans"),
        ("Он заплатил пять тысяч рублей.", "пять тысяч рублей"),
    ],
)
def test_numbers_in_words_are_found(text: str, piece: str) -> None:
    assert covered(text, Kind.NUMBER, piece)


@pytest.mark.parametrize(
    "text", ["这十分重要。", "我们一起去。", "一般来说很好。", "万一下雨呢", "ein Haus und ein Hof", "이 사람"]
)
def test_words_that_only_look_like_numbers_are_none(text: str) -> None:
    assert [] == found(text, Kind.NUMBER)


@pytest.mark.parametrize(
    "text", ["Il n'est pas là.", "Kein Mensch.", "コーヒーではなくお茶だ。", "別に禁煙です。", "Nadie vino."]
)
def test_negations_are_found(text: str) -> None:
    assert found(text, Kind.NEGATION)


@pytest.mark.parametrize("piece", ["六", "ein", "all but ", "más a ", "십", "n'a ", "any " * 20])
def test_time_is_linear(piece: str) -> None:
    kinds = {Kind.CONDITION, Kind.NUMBER, Kind.NEGATION}
    check_linear(lambda text: find(text, kinds), lambda size: (piece * size)[:size], 10_000)
