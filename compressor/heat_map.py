"""A text with each word's score as background, in HTML: a page of its own, or a part of a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

# What a notebook shows of a long text: more would make the browser slow and the saved notebook large.
SHOWN_WORDS = 5_000
SHOWN_CHARS = 50_000

# Dropped and protected are told by tags: notebooks that are not trusted, and sites that show them, drop styles.
_KEY = (
    "Darker background: higher score m. <s>Struck</s>: dropped. <u>Underlined</u>: protected. "
    "Hover for a word's score."
)
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>moos compress: heat map</title>
<style>
body {{ font: 16px/1.7 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  background: #fff; }}
</style>
{body}</html>
"""


@dataclass(frozen=True, slots=True)
class WordScore:
    """One word of the original with its metric m, for heat maps and audits.

    start, end: character offsets into the original, end exclusive. protected: never to be cut, whatever its score.
    """

    start: int
    end: int
    score: float
    kept: bool
    protected: bool


def page(text: str, words: Sequence[WordScore], summary: str) -> str:
    """A self-contained page. words: ascending, of `text`. summary: one line above it."""
    return _PAGE.format(body=_framed(_marked(text, words), summary, _KEY))


def fragment(text: str, words: Sequence[WordScore], summary: str) -> str:
    """The same for a notebook: no style reaches beyond it, and it has the first SHOWN_WORDS words only."""
    shown = words[:SHOWN_WORDS]
    if len(words) == len(shown):
        return _framed(_marked(text, words), summary, _KEY)
    body = _marked(text[: shown[-1].end], shown)
    return _framed(body, summary, f"{_KEY} {len(words) - len(shown):,} more words are not shown.")


def plain(text: str, summary: str) -> str:
    """A compressed text without scores, for a notebook: its first SHOWN_CHARS characters."""
    note = "This is what was kept; compress(..., words=True) shows what was dropped, too."
    if len(text) > SHOWN_CHARS:
        note = f"{note} {len(text) - SHOWN_CHARS:,} more characters are not shown."
    return _framed(html.escape(text[:SHOWN_CHARS]), summary, note)


def _framed(body: str, summary: str, note: str) -> str:
    return (
        '<div style="color:#111;background:#fff;line-height:1.7;padding:.6rem">'
        '<p style="color:#444;border-bottom:1px solid #ccc;padding-bottom:.6rem">'
        f"{html.escape(summary)}<br>{note}</p>"
        '<pre style="white-space:pre-wrap;overflow-wrap:anywhere;font:inherit;color:inherit;background:none">'
        f"{body}</pre></div>"
    )


def _marked(text: str, words: Sequence[WordScore]) -> str:
    out: list[str] = []
    at = 0
    top = max((word.score for word in words if not word.protected), default=1.0) or 1.0
    for word in words:
        out += (html.escape(text[at : word.start]), _cell(text[word.start : word.end], word, top))
        at = word.end
    return "".join((*out, html.escape(text[at:])))


def _cell(content: str, word: WordScore, top: float) -> str:
    tag = "u" if word.protected else "span" if word.kept else "s"
    shade = min(max(word.score / top, 0), 1) * 0.6
    colour = "" if word.kept else ";color:#767676"
    return (
        f'<{tag} style="background:rgba(255,166,0,{shade:.2f}){colour}" title="{word.score:.3f}">'
        f"{html.escape(content)}</{tag}>"
    )
