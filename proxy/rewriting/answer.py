"""What the cache keeps of a compression."""

from __future__ import annotations

from moosproxy.compressor import CompressionResult
from moosproxy.proxy.cache.cut import Cut, Limit, scaled
from moosproxy.proxy.cache.record import Answer, Skip
from moosproxy.proxy.reasons import SkipReason


def answer_of(text: str, result: CompressionResult) -> Answer:
    """The result of a text as offsets and counts. Raises ValueError for a result that cannot be the text's."""
    before, after, limit = result.tokens_before, result.tokens_after, _limit(result)
    if result.text == text:
        return Skip(_whole(result), before, limit=limit, kinds=scaled(result.kinds, before, before))
    return Cut.of(text, result.kept, before, after, limit, scaled(result.kinds, before, after))


def _whole(result: CompressionResult) -> SkipReason:
    if result.every_word:
        return SkipReason.EVERY_WORD
    if result.floor is not None and result.floor.ratio is None:
        return SkipReason.QUALITY_FLOOR
    return SkipReason.NOT_WORTH_IT if result.alone else SkipReason.PROTECTED_KIND


def _limit(result: CompressionResult) -> Limit | None:
    found = result.limited_by
    return Limit(found[0], round(100 * found[1])) if found else None
