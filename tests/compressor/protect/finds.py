"""What the detectors find in a text."""

from moosproxy.compressor.protect import find
from moosproxy.compressor.settings import Kind


def found(text: str, kind: Kind) -> list[str]:
    """The pieces of a kind."""
    return [text[span.start : span.end] for span in find(text, {kind})]


def covered(text: str, kind: Kind, piece: str) -> bool:
    """Whether every character of the piece lies in a span of the kind."""
    start = text.index(piece)
    held: set[int] = set()
    for span in find(text, {kind}):
        held.update(range(span.start, span.end))
    return held.issuperset(range(start, start + len(piece)))
