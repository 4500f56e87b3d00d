import numpy as np

from moosproxy.compressor.selection import repeats
from moosproxy.compressor.text import words


def test_later_mentions_weigh_less_whatever_their_case_and_ending() -> None:
    text = "Budget talks. The budgets grew, the budget fell."
    starts, ends = words.find(text)
    content = np.array([len(text[a:b]) > 3 for a, b in zip(starts, ends, strict=True)])

    weight = repeats.weights(text, starts, ends, content, 0.5)
    forms = [text[a:b] for a, b in zip(starts, ends, strict=True)]

    assert [1.0, 0.5, 0.25] == [
        w for w, form in zip(weight, forms, strict=True) if form.lower().startswith("budget")
    ]
    assert 1.0 == weight[forms.index("the")]


def test_weights_stop_falling() -> None:
    text = "word " * 100
    starts, ends = words.find(text)

    weight = repeats.weights(text, starts, ends, np.ones(100, bool), 0.8)

    assert 0.8**repeats.MOST == weight[-1] == weight[repeats.MOST]
