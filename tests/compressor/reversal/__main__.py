"""`python -m tests.compressor.reversal docs/reversals.md`: fifty sentences as the bundled model leaves them."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from moosproxy.compressor import CompressionSettings, Compressor
from tests.compressor.reversal.building import document, sentences, whole
from tests.compressor.reversal.texts import TEMPLATES

SHOWN = {"en": 10}
OTHERS_SHOWN = 8
PLANTED = 40
INTRODUCTION = """\
# Sentences that one word turns around

Written by `python -m tests.compressor.reversal docs/reversals.md`: sentences with a negation, an exception, a
condition, a limit, a comparison, a number in words, or with what did not happen after all, each planted in a
paragraph of plain sentences, and what is left of that paragraph at ratio 2 without a question. Each is there with
all of its words but articles and the like, or not there at all; `tests/compressor/test_reversal.py` holds that for
more than a thousand of them at ratios from 1.5 to 8.
"""


def shown(compressor: Compressor, language: str) -> Iterator[str]:
    """Lines about one language: sentences that stayed with what is left of their paragraph, and how many went."""
    planted = random.Random(7).sample(sentences(language), PLANTED)
    source = document(language, planted, seed=7)
    result = compressor.compress(source.text, CompressionSettings(ratio=2, tokenizer="o200k_base")).text
    stayed = [(sentence, match[0]) for sentence in planted if (match := whole(language, sentence).search(result))]
    yield from (f"## {language}", "")
    for sentence, found in stayed[: SHOWN.get(language, OTHERS_SHOWN)]:
        paragraph = next(row for row in re.split(r"\n+", result) if found.strip() in row)
        yield from (f"- {sentence}", f"  - {paragraph.strip()}")
    yield from ("", f"Of {PLANTED} sentences {len(stayed)} are there whole, {PLANTED - len(stayed)} are gone.", "")


def main(path: str) -> None:
    """Writes the page."""
    with Compressor.load() as compressor:
        rows = [row for language in TEMPLATES for row in shown(compressor, language)]
    Path(path).write_text(INTRODUCTION + "\n" + "\n".join(rows).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
