"""What a selection came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.kept import KeptSpans

COUNT_TOLERANCE = 0.02
"""Tokens of the joined text differ a little from the sum of its words' tokens; corrected beyond this share."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """text: kept.apply(original). words: whether each word was kept, shape (words,).

    target_ratio, eased: as in CompressionResult. restored: words that verification put back, by kind.
    kinds: tokens before and after of each kind of text, estimated from words.
    """

    kept: KeptSpans
    text: str
    tokens_after: int
    target_ratio: float
    eased: bool
    words: npt.NDArray[np.bool_]
    restored: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
