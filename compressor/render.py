"""Results for people and scripts: one summary line, JSON, coloured terminal text, an HTML heat map."""

from __future__ import annotations

import html
import json

from moosproxy.compressor.result import CompressionResult, WordScore


def summary(result: CompressionResult) -> str:
    """One line: tokens before and after, the true ratio, what was protected and put back, and the time."""
    spent = sum(result.timings.values())
    parts = [f"{result.tokens_before} -> {result.tokens_after} tokens ({result.tokenizer}), {result.ratio:.2f}x"]
    if result.protected:
        parts.append("protected " + _counts(result.protected))
    if result.restored:
        parts.append("put back " + _counts(result.restored))
    if result.eased:
        parts.append(f"eased from {result.asked_ratio:g}x to {result.target_ratio:.2f}x")
    parts.append(f"{spent * 1000:.0f} ms")
    return "; ".join(parts)


def _counts(counts: object) -> str:
    items = sorted(dict(counts).items(), key=lambda item: -item[1])  # type: ignore[call-overload]
    return ", ".join(f"{kind} {count}" for kind, count in items[:5]) + (", ..." if len(items) > 5 else "")


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
            "fingerprint": result.fingerprint,
            "protected": dict(result.protected),
            "restored": dict(result.restored),
            "question": result.question,
            "timings_s": {stage: round(seconds, 6) for stage, seconds in result.timings.items()},
        },
        ensure_ascii=False,
    )


def coloured(text: str, result: CompressionResult) -> None:
    """The original on the terminal: protected words bold, kept words plain, dropped words dim and struck."""
    from rich.console import Console
    from rich.text import Text

    out = Text(text)
    for word in result.words or ():
        if not word.kept:
            out.stylize("dim strike red", word.start, word.end)
        elif word.protected:
            out.stylize("bold green", word.start, word.end)
    Console(soft_wrap=True, highlight=False).print(out)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>moos compress: heat map</title>
<style>
body {{ font: 16px/1.7 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #111;
  background: #fff; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; }}
.key {{ color: #444; border-bottom: 1px solid #ccc; padding-bottom: .6rem; }}
.d {{ text-decoration: line-through; text-decoration-color: #999; color: #767676; }}
.p {{ outline: 1px solid #1a7f37; border-radius: 2px; }}
</style>
<p class="key">{summary}<br>Darker background: higher score m.
<span class="d">struck</span>: dropped. <span class="p">outlined</span>: protected. Hover for a word's score.</p>
<pre>{body}</pre></html>
"""


def heat_map(text: str, result: CompressionResult) -> str:
    """A self-contained page: the original with each word's score as background."""
    out: list[str] = []
    at = 0
    top = max((word.score for word in result.words or () if not word.protected), default=1.0) or 1.0
    for word in result.words or ():
        out.append(html.escape(text[at : word.start]))
        out.append(_cell(text[word.start : word.end], word, top))
        at = word.end
    out.append(html.escape(text[at:]))
    return _PAGE.format(summary=html.escape(summary(result)), body="".join(out))


def _cell(content: str, word: WordScore, top: float) -> str:
    classes = " ".join(name for name, on in (("d", not word.kept), ("p", word.protected)) if on)
    shade = min(max(word.score / top, 0), 1) * 0.6
    attribute = f' class="{classes}"' if classes else ""
    return (
        f'<span{attribute} style="background:rgba(255,166,0,{shade:.2f})" title="{word.score:.3f}">'
        f"{html.escape(content)}</span>"
    )
