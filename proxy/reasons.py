"""Why a text part went upstream as it came: one word, the same in header, log line and metric."""

from __future__ import annotations

from enum import StrEnum


class SkipReason(StrEnum):
    """The single reason a part was not compressed. Declared in the order in which they are decided."""

    ENDPOINT = "endpoint"  # of a whole request: no door knows the texts of its body
    DISABLED = "disabled"  # the policy switches compression off
    BYPASS = "bypass"  # the request asked for it and the policy allows it
    HOLDOUT = "holdout"  # the conversation is in the policy's control group
    ROLE = "role"  # the policy does not compress this role
    TOO_SHORT = "too_short"  # fewer tokens than the policy's min_tokens
    OVERLOADED = "overloaded"  # it could not have been done by its deadline, or the queue was full
    DEADLINE = "deadline"  # the compression did not finish in the policy's time
    FAILED = "failed"  # the compressor raised, or its result did not check out
    PROTECTED_KIND = "protected_kind"  # everything in the text is protected
    EVERY_WORD = "every_word"  # what is asked (to translate, to proofread, to count) needs the whole text
    QUALITY_FLOOR = "quality_floor"  # no ratio keeps the share of answers that the policy asks for
    SOFT_METHOD = "soft_method"  # the model has no compressor of the policy's soft method
    SOFT_RATIO = "soft_ratio"  # that compressor was not trained for the ratio
    SOFT_TOO_LONG = "soft_too_long"  # more tokens than the model's max_part_tokens
    SOFT_MEMORY = "soft_memory"  # there was no memory to compress it in
    SOFT_ELSEWHERE = "soft_elsewhere"  # an upstream answered that has no soft compression
    NOT_WORTH_IT = "not_worth_it"  # less than the policy's min_savings would be saved, or it would cost more


FORCED: frozenset[SkipReason] = frozenset({SkipReason.OVERLOADED, SkipReason.DEADLINE, SkipReason.FAILED})
"""Reasons that lie in the circumstances, not in the text: another try could come out otherwise."""
