"""What goes of JSON, and what stays as it is written."""

from __future__ import annotations

import json

import pytest

from moosproxy.compressor import CompressionSettings, Compressor
from tests.compressor.kinds.json.samples import (
    CATALOGUE,
    HOSTS,
    TEXT,
    TICKET,
    shortened,
)


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("value", [CATALOGUE, TICKET, HOSTS, TEXT])
def test_without_loss_white_space_alone_goes(value: object, indent: int | None, compressor: Compressor) -> None:
    short = shortened(compressor, json.dumps(value, indent=indent), "lossless", 3)

    assert json.dumps(value, separators=(",", ":")) == short


def test_numbers_escapes_and_repeated_keys_stay_as_they_are_written(compressor: Compressor) -> None:
    text = r"""{"a": [1.50, -0.0, 1E5, 123456789012345678901234567890], "a": "é\u00e9\ud83d\ude00\n\\\"",
      "deep": {"": [[], {}, [ ], { }]}, "tags": "[\"x\", \"y\"]"}"""

    assert (
        r'{"a":[1.50,-0.0,1E5,123456789012345678901234567890],"a":"é\u00e9\ud83d\ude00\n\\\"",'
        r'"deep":{"":[[],{},[],{}]},"tags":"[\"x\", \"y\"]"}'
    ) == shortened(compressor, text)


def test_slashes_lose_the_backslash_that_they_do_not_need(compressor: Compressor) -> None:
    text = (
        r'{"url": "https:\/\/example.com\/a", "path": "c:\\\/x\\/y", "of": "a host with a longer name than most"}'
    )
    short = shortened(compressor, text)

    assert r'{"url":"https://example.com/a","path":"c:\\/x\\/y"' == short[: short.index(',"of"')]
    assert json.loads(text) == json.loads(short)


def test_the_white_space_that_a_caller_wants_stays(compressor: Compressor) -> None:
    short = shortened(compressor, json.dumps(TICKET), patterns=('"id": 79',))

    assert short.startswith('{"id": 79,"description":null')


def test_a_document_in_a_string_is_exact(compressor: Compressor) -> None:
    inner = json.dumps(CATALOGUE, indent=2)
    short = shortened(compressor, json.dumps({"content": [{"type": "text", "text": inner}]}), "rows", 4)

    assert inner == json.loads(short)["content"][0]["text"]


@pytest.mark.parametrize("lead", ["", "Tool result: "])
def test_sentences_of_long_texts_go_and_all_else_stays(lead: str, compressor: Compressor) -> None:
    short = shortened(
        compressor, lead + json.dumps(CATALOGUE), ratio=3, question="off", asked="Which dates count?"
    )
    value = json.loads(short.removeprefix(lead))

    assert [{**entry, "description": ""} for entry in CATALOGUE] == [
        {**entry, "description": ""} for entry in value
    ]
    gone = [entry["description"] for entry in value if "[…" in entry["description"]]
    assert gone
    assert all(sentence.strip() in TEXT for text in gone for sentence in text.replace("…]", "[").split("[")[::2])


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("value", [HOSTS, {"hosts": HOSTS, "next": None}])
def test_elements_of_long_arrays_go_and_the_telling_ones_stay(
    value: object, indent: int | None, compressor: Compressor
) -> None:
    found = json.loads(shortened(compressor, json.dumps(value, indent=indent), "rows", 4))
    hosts = found["hosts"] if isinstance(found, dict) else found
    kept = [host for host in hosts if isinstance(host, dict)]

    assert len(kept) < 30
    assert all(host == HOSTS[host["id"]] for host in kept)
    assert {0, 23, 31, 59} <= {host["id"] for host in kept}
    assert 60 - len(kept) == sum(int(host.split()[1]) for host in hosts if isinstance(host, str))


def test_the_element_that_is_asked_about_stays(compressor: Compressor) -> None:
    text = json.dumps([{**host, "owner": f"person-{host['id']}"} for host in HOSTS])
    short = shortened(compressor, text, "rows", 6, question="Which host belongs to person-41?")

    assert "person-41" in short


def test_whole_rows_of_like_records_go(compressor: Compressor) -> None:
    text = "\n".join(json.dumps(host) for host in HOSTS)
    lines = shortened(compressor, text, "rows", 4).split("\n")
    kept = [json.loads(line) for line in lines if not line.startswith("[…")]

    assert len(kept) < 30
    assert all(host == HOSTS[host["id"]] for host in kept)
    assert {0, 23, 31} <= {host["id"] for host in kept}


@pytest.mark.parametrize(
    "records",
    [
        HOSTS[:7],
        [*HOSTS, 1],
        [*HOSTS, None],
        [[*host.values()] for host in HOSTS],
        [{f"key {number}": number} for number in range(30)],
    ],
)
def test_short_and_mixed_arrays_stay_whole(records: list[object], compressor: Compressor) -> None:
    text = json.dumps(records, indent=1)

    assert records == json.loads(shortened(compressor, text, "rows", 4))


def test_saved_white_space_is_no_reason_to_keep_more_of_the_prose(compressor: Compressor) -> None:
    prose = "\n\n".join(f"{TEXT} This was written down as number {number}." for number in range(6))
    text = f"{prose}\n\n{json.dumps(HOSTS, indent=4)}"
    result = compressor.compress(text, CompressionSettings(ratio=3, json="lossless", tokenizer="o200k_base"))
    before, after = result.kinds["prose"]

    assert 2.5 < before / after < 3.5
