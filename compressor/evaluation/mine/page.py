"""The worst differences as one HTML page that needs nothing else. Every text in it is escaped."""

from __future__ import annotations

from html import escape

from moosproxy.compressor.evaluation.mine.compare import Compared, Summary

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto; padding: 1rem; }
table { border-collapse: collapse; } td { padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }
article { border-top: 1px solid #8888; padding: 1rem 0; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8882; padding: 0.5rem; max-height: 24rem;
      overflow: auto; font-size: 0.85rem; }
.lost { color: #c0262d; } .kept { color: #2a7d2e; }
"""


def page(summary: Summary) -> str:
    """The whole document, in UTF-8."""
    facts = "".join(f"<li>{escape(line)}</li>" for line in summary.lines())
    worst = summary.worst
    told = f"The {len(worst)} worst differences" if worst else "No answer changed"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Full and shortened texts</title><style>{_STYLE}</style></head><body>"
        f"<h1>Full and shortened texts</h1><ul>{facts}</ul><h2>{told}</h2>"
        + "".join(_difference(number, one) for number, one in enumerate(worst, 1))
        + "</body></html>\n"
    )


def _difference(number: int, one: Compared) -> str:
    state = '<span class="kept">kept</span>' if one.kept else '<span class="lost">lost</span>'
    rows = [("from the full text", one.full), ("from the shortened text", one.short)]
    if one.own.answer:
        rows.insert(0, ("right", one.own.answer))
    answers = "".join(f"<tr><td>{name}</td><td>{escape(text) or '–'}</td></tr>" for name, text in rows)
    return (
        f"<article><h3>{number}. {escape(one.own.question or '')}</h3>"
        f"<p>{escape(one.own.name)}: {state}; {one.before} to {one.after} tokens, {escape(_cut(one))}</p>"
        f"<table>{answers}</table>"
        f'<div class="sides"><section><h4>Full text</h4><pre>{escape(one.own.text)}</pre></section>'
        f"<section><h4>Shortened text</h4><pre>{escape(one.result.text)}</pre></section></div></article>"
    )


def _cut(one: Compared) -> str:
    floor = one.result.floor
    if floor is not None and floor.ratio is None:
        return "left whole: no ratio meets the floor"
    return f"text shortened {one.result.ratio:.2f}x"
