"""Results for scripts and terminals: JSON, coloured text."""

from __future__ import annotations

import json
from dataclasses import asdict

from moosproxy.compressor.result import CompressionResult


def as_json(result: CompressionResult) -> str:
    """The whole result, kept spans as [start, end] pairs."""
    return json.dumps(
        {
            "text": result.text,
            "kept": result.kept.spans,
            "tokens_before": result.tokens_before,
            "tokens_after": result.tokens_after,
            "tokenizer": result.tokenizer,
            "ratio": round(result.ratio, 4),
            "asked_ratio": result.asked_ratio,
            "target_ratio": round(result.target_ratio, 4),
            "eased": result.eased,
            "floor": asdict(result.floor) if result.floor else None,
            "fingerprint": result.fingerprint,
            "protected": dict(result.protected),
            "restored": dict(result.restored),
            "question": result.question,
            "timings_s": {stage: round(seconds, 6) for stage, seconds in result.timings.items()},
        },
        ensure_ascii=False,
    )


def coloured(text: str, result: CompressionResult) -> None:
    """The original on the terminal: protected words bold, kept words plain, dropped words dim and struck.

    Where there are no colours, as in a file, dropped words stand between `[-` and `-]`.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    if console.color_system is None:
        console.print(_marked(text, result), markup=False)
        return
    out = Text(text)
    for word in result.words or ():
        if not word.kept:
            out.stylize("dim strike red", word.start, word.end)
        elif word.protected:
            out.stylize("bold green", word.start, word.end)
    console.print(out)


def _marked(text: str, result: CompressionResult) -> str:
    dropped: list[tuple[int, int]] = []
    for word in result.words or ():
        if word.kept:
            continue
        if dropped and not text[dropped[-1][1] : word.start].strip():
            dropped[-1] = dropped[-1][0], word.end
        else:
            dropped.append((word.start, word.end))
    out, at = [], 0
    for start, end in dropped:
        out += [text[at:start], "[-", text[start:end], "-]"]
        at = end
    return "".join([*out, text[at:]])
