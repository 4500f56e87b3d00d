"""Tokens that were left out at least, where no tokenizer of the model is at hand."""

from __future__ import annotations

import random

import pytest

from moosproxy.compressor import KeptSpans
from moosproxy.compressor.text.tokens import counter_for
from moosproxy.proxy.cache.cut import Cut
from moosproxy.proxy.rewriting.left_out import applied, fewest_tokens

DICE = random.Random(1)
TEXTS = {
    "english": "The organization's committee discussed the delivery (of timber), didn't it? None wrote it.\n\n",
    "german": "Der Ausschuss besprach die Holzlieferung nach dem Mittagessen; aufgeschrieben wurde nichts. ",
    "russian": "Комитет обсудил поставку древесины после обеда и ничего не записал. ",
    "chinese": "委员会午饭后讨论了木材交付问题,但没有做任何记录。",
    "japanese": "委員会は昼食後に木材の納入について話し合いましたが、何も記録しませんでした。",
    "korean": "위원회는 점심 식사 후 목재 납품에 대해 논의했지만 아무것도 기록하지 않았습니다. ",
    "hindi": "समिति ने दोपहर के भोजन के बाद लकड़ी की आपूर्ति पर चर्चा की और कुछ भी दर्ज नहीं किया। ",
    "thai": "คณะกรรมการหารือเรื่องการส่งมอบไม้หลังอาหารกลางวันและไม่ได้บันทึกอะไร ",
    "table": "\n".join(f"{DICE.random()},{DICE.randint(0, 10**9)},{at}" for at in range(40)),
    "code": "    def __init__(self, path: Path) -> None:\n        self._path = path  # as it was given\n\n\n",
    "rule": "-" * 70 + "\n" + " " * 40 + "x\n",
}


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize("name", TEXTS)
def test_no_tokenizer_at_hand_counts_fewer(name: str, encoding: str) -> None:
    counter = counter_for(encoding)
    assert counter is not None

    assert 0 < fewest_tokens(TEXTS[name]) <= counter.count(TEXTS[name])


def test_of_english_and_of_numbers_most_is_told() -> None:
    counter = counter_for("o200k_base")
    assert counter is not None
    for name in ("english", "table"):
        assert fewest_tokens(TEXTS[name]) > 0.7 * counter.count(TEXTS[name])


@pytest.mark.parametrize(("tokenizer", "fewer"), [("gpt-4o", None), ("o200k_base", None), (None, 2), ("none", 2)])
def test_what_the_models_own_tokenizer_counted_needs_no_bound(tokenizer: str | None, fewer: int | None) -> None:
    text = "one two three four"
    cut = Cut.of(text, KeptSpans(((0, 3), (14, 18))), 9, 3)

    assert applied(cut, text, tokenizer) == ("one four", fewer)
    assert applied(cut, text, tokenizer) == ("one four", fewer)
