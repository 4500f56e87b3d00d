"""Wrong types: the error says what was given and what to give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moosproxy.compressor import (
    ArgumentError,
    CompressionSettings,
    Compressor,
    CompressorError,
    Kind,
    OutlierReading,
    SettingsError,
)
from moosproxy.compressor.errors import CheckpointError
from tests.compressor import tiny

TEXT = " ".join(tiny.WORDS[:120])


@pytest.fixture(scope="module")
def compressor(tiny_checkpoint: Path) -> Iterator[Compressor]:
    with Compressor.load(tiny_checkpoint, threads=1) as loaded:
        yield loaded


@pytest.mark.parametrize(
    ("text", "options", "fault"),
    [
        (None, {}, "text must be a str, got None"),
        (b"secret", {}, "text must be a str, got bytes; decode it first: text.decode()"),
        (["a", "b"], {}, "text must be a str, got list"),
        (TEXT, {"settings": {"ratio": 4}}, "got dict; write CompressionSettings(**settings)"),
        (TEXT, {"settings": {}}, "settings must be CompressionSettings, got dict"),
        (TEXT, {"settings": 4}, "settings must be CompressionSettings, got int"),
        (TEXT, {"spans": "ab"}, "spans must be (start, end) pairs of character offsets, got str"),
        (TEXT, {"spans": None}, "pairs of character offsets, got None"),
        (TEXT, {"spans": [3, 9]}, "got 3 (int) among them"),
        (TEXT, {"spans": (1, (2, 3))}, "got 1 (int) among them"),
        (TEXT, {"spans": [(1, 2, 3)]}, "got (1, 2, 3) (tuple) among them"),
        (TEXT, {"spans": [(1, 2.0)]}, "got (1, 2.0) (tuple) among them"),
        (TEXT, {"spans": [("1", "2")]}, "got ('1', '2') (tuple) among them"),
        (TEXT, {"spans": ["ab"]}, "got 'ab' (str) among them"),
        (TEXT, {"spans": [(True, False)]}, "got (True, False) (tuple) among them"),
        (TEXT, {"spans": [(0, None)]}, "got (0, None) (tuple) among them"),
    ],
)
def test_arguments_of_a_wrong_type_are_refused(
    compressor: Compressor, text: Any, options: dict[str, Any], fault: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(fault)) as caught:
        compressor.compress(text, **options)

    assert isinstance(caught.value, ArgumentError)
    assert isinstance(caught.value, CompressorError)
    assert "secret" not in str(caught.value)


def test_a_span_that_ends_before_it_starts_is_refused(compressor: Compressor) -> None:
    with pytest.raises(SettingsError, match=re.escape("span (9, 3) ends before it starts")):
        compressor.compress(TEXT, spans=[(9, 3)])


@pytest.mark.parametrize("spans", [[[40, 60]], ((40, 60),), np.array([[40, 60]]), iter([(40, 60)]), {(40, 60)}])
def test_spans_come_in_any_collection(compressor: Compressor, spans: Any) -> None:
    assert TEXT[40:60] in compressor.compress(TEXT, CompressionSettings(ratio=9), spans=spans).text


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"ratio": "4"}, "ratio must be a number of at least 1, got '4' (str)"),
        ({"ratio": True}, "got True (bool)"),
        ({"ratio": None}, "got None"),
        ({"ratio": float("inf")}, "got inf (float)"),
        ({"ratio": 10**400}, "(int)"),
        ({"alpha": "0.9"}, "alpha must be a number between 0 and 1, got '0.9' (str)"),
        ({"alpha": False}, "got False (bool)"),
        ({"protect": "number"}, "protect must be a collection of strings, got 'number' alone; write ['number']"),
        ({"protect": None}, "protect must be a collection of strings, got None"),
        ({"protect": [7]}, "every one of protect must be a string, got 7 (int)"),
        ({"protect": ["numbers", "url"]}, "unknown protected kind numbers; known kinds: fenced_code, "),
        ({"patterns": r"\d+"}, r"got '\\d+' alone; write ['\\d+']"),
        ({"patterns": 3}, "patterns must be a collection of strings, got 3 (int)"),
        ({"patterns": [re.compile("a")]}, "every one of patterns must be a string, got re.compile('a') (Pattern)"),
        ({"question": None}, 'question must be "auto", "off" or the question, got None'),
        ({"question": False}, "got False (bool)"),
        ({"asked": 3}, "asked must be what was asked, or None, got 3 (int)"),
        ({"material": None}, "material must be one of True, False, got None"),
        ({"marks": "no"}, "marks must be one of True, False, got 'no' (str)"),
        ({"unit": "words"}, "unit must be one of auto, sentence, word, got 'words' (str)"),
        ({"json": True}, "json must be one of lossless, prose, rows, got True (bool)"),
        ({"tokenizer": 1}, "tokenizer must be the name of a model or an encoding, or None, got 1 (int)"),
        ({"outlier": "class"}, "outlier must be an OutlierReading, got 'class' (str)"),
    ],
)
def test_settings_of_a_wrong_type_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(fault)):
        CompressionSettings(**options)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"scope": "window"}, "outlier.scope must be one of class, sequence, got 'window' (str)"),
        ({"stat": None}, "outlier.stat must be one of centroid, perdim_rms, perdim_abs, got None"),
        ({"sided": 1}, "outlier.sided must be one of one, two, got 1 (int)"),
        ({"norm": ["rank"]}, "outlier.norm must be one of minmax, rank, sigmoid, got ['rank'] (list)"),
        ({"layer": "-1"}, "outlier.layer must be a whole number, got '-1' (str)"),
        ({"layer": True}, "got True (bool)"),
    ],
)
def test_readings_of_a_wrong_type_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(fault)):
        OutlierReading(**options)


@pytest.mark.parametrize("protect", [["number", "url"], {Kind.NUMBER, "url"}, ("url", Kind.NUMBER, "url")])
def test_kinds_come_in_any_collection_and_by_name(protect: Any) -> None:
    given = CompressionSettings(protect=protect, patterns=["a", "b"])  # type: ignore[arg-type]
    same = CompressionSettings(protect=frozenset({Kind.NUMBER, Kind.URL}), patterns=("a", "b"))

    assert same == given
    assert hash(same) == hash(given)
    assert same.digest() == given.digest()


@pytest.mark.parametrize(
    ("options", "error", "fault"),
    [
        ({"engine": "tensorflow"}, SettingsError, "unknown engine 'tensorflow'; known: auto, onnxruntime"),
        ({"engine": None}, SettingsError, "unknown engine None; known: auto, onnxruntime"),
        (
            {"threads": 0},
            SettingsError,
            "threads must be a whole number of at least 1, or None for all, got 0 (int)",
        ),
        ({"threads": "2"}, SettingsError, "got '2' (str)"),
        ({"threads": True}, SettingsError, "got True (bool)"),
        ({"directory": 3}, ArgumentError, "directory must be a path, got 3 (int)"),
        ({"directory": b"here"}, ArgumentError, "directory must be a path, got b'here' (bytes)"),
        ({"directory": "nowhere"}, CheckpointError, "checkpoint nowhere is not a directory"),
    ],
)
def test_a_compressor_is_not_loaded_from_wrong_arguments(
    tiny_checkpoint: Path, options: dict[str, Any], error: type[Exception], fault: str
) -> None:
    with pytest.raises(error, match=re.escape(fault)):
        Compressor.load(**{"directory": tiny_checkpoint, **options})


def test_tokens_are_counted_as_results_count_them(compressor: Compressor) -> None:
    for tokenizer in (None, "gpt-4o"):
        result = compressor.compress(TEXT, CompressionSettings(ratio=2, tokenizer=tokenizer))

        assert result.tokens_before == compressor.count(TEXT, tokenizer)
        assert result.tokens_after == pytest.approx(compressor.count(result.text, tokenizer), abs=3)
