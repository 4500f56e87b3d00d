"""A shortened text, and how many tokens it has fewer at least where nobody here counts as the model does."""

from __future__ import annotations

import re

from moosproxy.compressor.text.tokens import at_hand
from moosproxy.proxy.cache.cut import Cut

_PIECES = re.compile(
    r"[^\sA-Za-z0-9\u0080-\U0010ffff]?[A-Za-z\u0080-\u2e7f]+(?:'[a-z]{1,2})?"
    r"|[\u2e80-\U0010ffff]{1,2}|[0-9]{1,3}|[^\sA-Za-z0-9\u0080-\U0010ffff]+[\r\n/]*|\s*\n+"
)
"""Near the splits that OpenAI's, Llama's and Qwen's tokenizers begin with, coarser where they differ."""


def applied(answer: Cut, text: str, tokenizer: str | None) -> tuple[str, int | None]:
    """What the answer makes of its text, and the tokens fewer; None where the answer's own counts are the model's.

    The compressor's pieces are no measure of them: of Russian it makes three times as many as others.
    """
    out = answer.apply(text)
    if at_hand(tokenizer):
        return out, None
    if not answer.known:  # the answer is kept, and the same in every turn of a conversation
        answer.known.append(max(0, fewest_tokens(text) - fewest_tokens(out)))
    return out, answer.known[0]


def fewest_tokens(text: str) -> int:
    """Tokens that a text has for every usual tokenizer: none puts together what counts as two here.

    Words, three digits, two signs of a script without spaces.
    """
    return len(_PIECES.findall(text))
