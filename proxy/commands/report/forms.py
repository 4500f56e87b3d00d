"""A report as text, CSV, JSON or a page."""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from moosproxy.proxy.ledger.report import CLASS, Line, Report
from moosproxy.proxy.ledger.sides import ENOUGH, Difference, Sides

_HEADS = ("requests", "errors", "tokens", "sent", "cached", "billed", "saved", "took")
_COLUMNS = (
    "requests", "errors", "priced", "tokens_before", "tokens_sent", "input_tokens", "cached_tokens",
    "output_tokens", "billed_usd", "original_usd", "saved_usd", "seconds", "compression_s", "saved_s",
)  # fmt: skip
_WIDTH = 200
"""Characters of a line at most, where the terminal has fewer."""
_STYLE = """
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}
th,td{padding:.3em .8em;text-align:right;border-bottom:1px solid #8884}
th.name,td.name{text-align:left}.red{color:#c22;font-weight:600}
"""


def show(report: Report) -> None:
    """On the terminal."""
    # A figure or a name that is cut off tells something else: what is too wide for the terminal goes on beyond it.
    console = Console(width=max(Console().width, _WIDTH))
    console.print(f"{report.since:%Y-%m-%d %H:%M} to now (UTC)")
    console.print(_table(report))
    if report.kinds:
        console.print(_kinds_table(report))
    for line in notes(report):
        console.print(line, style="red" if line.startswith("RED") else None, markup=False, highlight=False)


def _table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in report.by:
        table.add_column(name, no_wrap=True, overflow="ignore")
    for head in _HEADS:
        table.add_column(head, justify="right", no_wrap=True, overflow="ignore")
    for line in (*report.lines, report.total):
        names = (
            line.names if line is not report.total else ("total", *[""] * (len(report.by) - 1))[: len(report.by)]
        )
        style = "red" if line.costs_more else "bold" if line is report.total else None
        table.add_row(*map(Text, (name or "-" for name in names)), *_cells(line), style=style)
    return table


def _kinds_table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("kind of text", "parts", "tokens before", "sent"):
        table.add_column(head, justify="left" if head == "kind of text" else "right")
    for kind in report.kinds:
        table.add_row(kind.kind, f"{kind.parts:,}", f"{kind.tokens_before:,}", f"{kind.tokens_sent:,}")
    return table


def _cells(line: Line) -> tuple[str, ...]:
    return (
        f"{line.requests:,}",
        f"{line.errors:,}",
        f"{line.tokens_before:,}",
        f"{line.tokens_sent:,}",
        f"{line.cached_tokens / line.input_tokens:.0%}" if line.input_tokens else "-",
        dollars(line.billed_usd),
        dollars(line.saved_usd) + (f" ({_share(line):.0%})" if line.original_usd else ""),
        f"{line.compression_s / line.requests * 1000:.1f} ms" if line.requests else "-",
    )


def _share(line: Line) -> float:
    return float((line.saved_usd or 0) / line.original_usd) if line.original_usd else 0.0


def dollars(value: Decimal | None) -> str:
    """With as many places as a small amount needs; `no price` for None."""
    if value is None:
        return "no price"
    places = 2 if abs(value) >= 1 else 4 if abs(value) >= Decimal("0.01") else 6
    return f"{'-' if value < 0 else ''}${abs(value):,.{places}f}"


def notes(report: Report) -> list[str]:
    """What the tables do not say, a line each."""
    out: list[str] = []
    for line in report.red:
        named = ", ".join(f"{name} {value or '-'}" for name, value in zip(CLASS, line.names, strict=True))
        out.append(
            f"RED: {named}: compression cost {dollars(-(line.saved_usd or Decimal(0)))} more than it saved; "
            "`cost_aware: true` in the policy leaves such texts alone"
        )
    total = report.total
    answered = total.requests - total.errors
    if total.priced < answered:
        out.append(
            f"{answered - total.priced:,} of {answered:,} requests have no amount: no usage reported, or no price "
            "known for their model (`prices` of the upstream gives one); only their tokens are counted"
        )
    if total.errors:
        out.append(f"{total.errors:,} of {total.requests:,} requests failed: they count as nothing saved")
    if report.refused:
        out.append(
            f"{report.refused:,} more requests failed before an upstream had them (refused, or none to be had): "
            "they are in no sum"
        )
    if total.saved_s:
        out.append(f"Local models: {total.saved_s:,.1f} s of reading saved, compression already taken off")
    for sides in report.sides:
        out += _side_notes(sides)
    return out


def _side_notes(sides: Sides) -> list[str]:
    head = f"Control group of policy {sides.policy}: {sides.holdout:,} conversations untouched, "
    head += f"{sides.compressed:,} shortened"
    if not sides.enough:
        return [f"{head}: too few to say anything, {ENOUGH} are needed on each side"]
    out = [head, *(f"  {_told(each)}" for each in sides.differences)]
    if sides.unpriced:
        out.append(f"  {sides.unpriced:,} conversations with a request without an amount are in no sum of dollars")
    if sides.uncounted:
        out.append(f"  {sides.uncounted:,} conversations with a request without usage are in no sum of tokens")
    return out


def _told(each: Difference) -> str:
    figures = f"{each.measure.replace('_', ' ')}: {each.compressed:.6g} shortened, {each.holdout:.6g} untouched"
    interval = f"difference {each.difference:+.4g} (95%: {each.low:+.4g} to {each.high:+.4g})"
    return f"{figures}, {interval}" + ("" if each.told else ", may be chance")


def as_csv(report: Report) -> str:
    """The groups; amounts in dollars, empty where there is no price."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*report.by, *_COLUMNS])
    for line in report.lines:
        values = (getattr(line, name) for name in _COLUMNS)
        writer.writerow([*map(_harmless, line.names), *("" if value is None else value for value in values)])
    return out.getvalue().rstrip("\n")


def _harmless(name: str) -> str:
    """A spreadsheet takes such a beginning for a formula."""
    return f"'{name}" if name[:1] in ("=", "+", "-", "@") else name


def as_json(report: Report) -> str:
    """Everything; amounts as strings, so that none is rounded."""
    out = {
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "by": list(report.by),
        "total": _plain(report.total),
        "groups": [{**dict(zip(report.by, line.names, strict=True)), **_plain(line)} for line in report.lines],
        "refused": report.refused,
        "costs_more": [{**dict(zip(CLASS, line.names, strict=True)), **_plain(line)} for line in report.red],
        "kinds": [asdict(kind) for kind in report.kinds],
        "control_groups": [_sides(sides) for sides in report.sides],
    }
    return json.dumps(out, indent=2)


def _plain(line: Line) -> dict[str, Any]:
    values = {name: value for name, value in asdict(line).items() if name != "names"}
    values |= {"saved_usd": line.saved_usd, "costs_more": line.costs_more}
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in values.items()}


def _sides(sides: Sides) -> dict[str, Any]:
    differences = [
        {**asdict(each), "difference": each.difference, "told": each.told} for each in sides.differences
    ]
    counts = {"policy": sides.policy, "compressed": sides.compressed, "holdout": sides.holdout}
    counts |= {"unpriced": sides.unpriced, "uncounted": sides.uncounted}
    return {**counts, "enough": sides.enough, "differences": differences}


def as_html(report: Report) -> str:
    """One page without anything from elsewhere."""
    if report.empty:
        body = "<p>The ledger has no requests in this time.</p>"
    else:
        groups = _html_table([*report.by, *_HEADS], [_html_row(line, line.names) for line in report.lines], report)
        listed = "".join(
            f"<li{' class=red' if note.startswith('RED') else ''}>{html.escape(note)}</li>"
            for note in notes(report)
        )
        kinds = "".join(
            f"<tr><td class=name>{html.escape(kind.kind)}</td><td>{kind.parts:,}</td>"
            f"<td>{kind.tokens_before:,}</td><td>{kind.tokens_sent:,}</td></tr>"
            for kind in report.kinds
        )
        head = "<tr><th class=name>kind of text</th><th>parts</th><th>tokens before</th><th>sent</th></tr>"
        body = f"{groups}<ul>{listed}</ul><table>{head}{kinds}</table>"
    span = f"{report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC"
    title = "What moosproxy spent and saved"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><p>{span}</p>{body}</html>"
    )


def _html_table(heads: list[str], rows: list[str], report: Report) -> str:
    names = len(report.by)
    cells = "".join(
        f"<th{' class=name' if at < names else ''}>{html.escape(head)}</th>" for at, head in enumerate(heads)
    )
    total = _html_row(report.total, ("total", *[""] * (names - 1))[:names])
    return f"<table><tr>{cells}</tr>{''.join(rows)}{total}</table>"


def _html_row(line: Line, names: tuple[str, ...]) -> str:
    named = "".join(f"<td class=name>{html.escape(name or '-')}</td>" for name in names)
    cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(line))
    return f"<tr{' class=red' if line.costs_more else ''}>{named}{cells}</tr>"
