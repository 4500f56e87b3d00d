from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor.planning import windows
from moosproxy.compressor.text.encoding import SECTION_CHARS, TextEncoder
from tests.compressor import tiny


@pytest.fixture(scope="session", params=["wordpiece", "sentencepiece"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    return TextEncoder.from_file(getattr(tiny, request.param)(file))


TEXTS = [
    "",
    " \r\n ",
    "plain words, and 1,234.5%",
    "你好 mixed 混合 text",
    "x" * 5_000,
    "👨‍👩‍👧 e\u0301 สวัสดี",
    "a\r\nb\r\n\r\nc",
]


@pytest.mark.parametrize("text", TEXTS)
def test_words_and_pieces_agree_on_offsets(encoder: TextEncoder, text: str) -> None:
    encoding = encoder.encode(text)
    first, last = encoding.word_pieces

    assert len(encoding.word_starts) == len(first) == len(last) == len(encoding.word_costs)
    for start, end, a, b in zip(encoding.word_starts, encoding.word_ends, first, last, strict=True):
        assert all(encoding.piece_starts[i] < end and encoding.piece_ends[i] > start for i in range(a, b))


def test_plain_words_cost_their_pieces(encoder: TextEncoder) -> None:
    encoding = encoder.encode(" ".join(tiny.WORDS[:50]))

    assert len(encoding.ids) == encoding.word_costs.sum()


def test_a_long_text_is_tokenised_as_if_at_once(encoder: TextEncoder) -> None:
    text = "\n".join(" ".join(tiny.WORDS[i : i + 12]) for i in range(280)) * 4

    assert len(text) > SECTION_CHARS
    assert encoder.tokenizer.encode(text, add_special_tokens=False).ids == encoder.encode(text).ids.tolist()


@given(text=st.text(alphabet=st.sampled_from("ab .!?\n,你1"), max_size=400), limit=st.integers(4, 64))
@settings(max_examples=150)
def test_windows_cover_every_piece_once_within_the_limit(encoder: TextEncoder, text: str, limit: int) -> None:
    encoding = encoder.encode(text)
    strength = windows.breaks(text, encoding.word_starts, encoding.word_ends)

    ranges = windows.cut(encoding, strength, None, limit)

    assert list(range(len(encoding.ids))) == [piece for a, b in ranges for piece in range(a, b)]
    assert all(0 < b - a <= limit for a, b in ranges)


def test_windows_end_at_sentences_and_lines(encoder: TextEncoder) -> None:
    text = "one two three four. five six seven eight nine ten eleven\ntwelve thirteen"
    encoding = encoder.encode(text)
    strength = windows.breaks(text, encoding.word_starts, encoding.word_ends)

    (_, first), *_ = windows.cut(encoding, strength, None, limit=int(encoding.piece_words.searchsorted(8)))

    assert "." == text[encoding.piece_ends[first - 1] - 1]


def test_skipped_words_are_in_no_window(encoder: TextEncoder) -> None:
    encoding = encoder.encode(" ".join(tiny.WORDS[:100]))
    strength = np.zeros(len(encoding.word_starts), np.int8)
    skip = np.zeros(len(strength), bool)
    skip[20:60] = True

    seen = {
        int(encoding.piece_words[piece])
        for a, b in windows.cut(encoding, strength, skip, 32)
        for piece in range(a, b)
    }

    assert set(range(20)) | set(range(60, 100)) == seen


def test_a_question_stands_in_front_with_its_own_type(encoder: TextEncoder) -> None:
    encoding = encoder.encode(" ".join(tiny.WORDS[:30]))
    question = encoder.encode(tiny.WORDS[3]).ids
    ranges = [(0, len(encoding.ids))]

    (window,) = windows.build(encoder, encoding, ranges, question, None)

    head = [encoder.first, *question.tolist(), *encoder.pair]
    assert head == window.ids[: window.offset].tolist()
    assert encoding.ids.tolist() == window.ids[window.offset : -1].tolist()
    assert [0] * len(head) + [1] * (len(window.ids) - len(head)) == window.type_ids.tolist()


def test_a_file_without_special_tokens_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]")).save(str(tmp_path / "tokenizer.json"))

    with pytest.raises(ValueError, match="special tokens"):
        TextEncoder.from_file(tmp_path / "tokenizer.json")
