"""The section about a real model in docs/results-soft.md, from its own results.json. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2
from pathlib import Path
from statistics import median
from typing import Any, Final

from moosproxy.compressor.evaluation.measures.statistics import Estimate
from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.evaluation.evaluate import BLIND, FOREIGN, FULL, HARD, NONE, TEXT, Cell, Results
from moosproxy.compressor.soft.evaluation.naming import filed, label
from moosproxy.compressor.soft.evaluation.statistics import lead, mean, percent, scores, share

_TITLE: Final = "## A real model\n"
_MB: Final = 1e6
_PARTS: Final = {TEXT: "Paragraphs of titles that training left out"}
_WANTED: Final = 60
_NOTES: Final = """\
Percentages with 95% intervals over questions, SQuAD's normalisation, against the first reference answer.
Holds: the reference stands in the answer, however long that is. First token: median CPU seconds of one
thread from the text's tokens to the answer's first, compressing included, nothing kept from before. Kept:
keys and values in the language model by then, in MB. Memory of another text: what training gains by
teaching the form of an answer, the text unread."""


def write(out: Path, docs: Path, note: str = "") -> str:
    """Puts the section into the page, in place of a former one. Raises SoftError if nothing was measured."""
    results, page = Results(out / "results.json"), docs / "results-soft.md"
    if not results.cells:
        raise SoftError(f"{out / 'results.json'} holds nothing: run `moos eval soft run` first")
    if not page.is_file():
        raise SoftError(f"there is no {page} to put the section into: run `moos eval soft report` first")
    head = page.read_text(encoding="utf-8").partition(_TITLE)[0].rstrip("\n")
    page.write_text(f"{head}\n\n" + "\n".join(_section(results, note)), encoding="utf-8")
    return f"{page}, the section about {results.facts['base']['name']}"


def kept(page: Path) -> str:
    """The section of a page that is about to be written anew, empty if it has none."""
    _, title, section = page.read_text(encoding="utf-8").partition(_TITLE) if page.is_file() else ("", "", "")
    return title + section


def _section(results: Results, note: str) -> Iterator[str]:
    facts = results.facts
    base = facts["base"]
    yield _TITLE
    yield (
        f"`{base['name']}` ({base['parameters']:,} parameters, fingerprint {base['fingerprint']}), frozen, asked "
        f"in its own chat template; {facts['questions']} questions a part, each about its own context of "
        f"{facts['length']} tokens. {_NOTES}\n"
    )
    for method in _trained(results):
        yield _run(results, method)
    yield ""
    if note:
        yield note + "\n"
    for part in dict.fromkeys(key[0] for key in results.cells):
        yield from _targets(results, part)
    yield from _curves(results)


def _trained(results: Results) -> list[str]:
    return filed(results.facts.get("training", {}))


def _run(results: Results, method: str) -> str:
    run = results.facts["training"][method]
    ratios = ", ".join(f"{each}x" for each in run["config"]["ratios"])
    muon = f", Muon {run['muon']:g} for matrices" if run["muon"] else ""
    distil = f", {run['distil']:.0%} of the loss distilled" if run.get("distil") else ""
    return (
        f"- {_name(method)}, {ratios}: {run['steps']} steps of {run['tokens']} context tokens, up to "
        f"{run['asked']} questions a context, AdamW {run['lr']:g}{muon}{distil}; its weights take "
        f"{run['bytes'] / _MB:.0f} MB."
    )


def _name(method: str) -> str:
    return label(method.removesuffix(FOREIGN)) + (", memory of another text" if method.endswith(FOREIGN) else "")


def _targets(results: Results, part: str) -> Iterator[str]:
    yield f"**{_PARTS.get(part, part)}**\n"
    yield "| | tokens to one read | exact match | F1 | holds | first token, s | kept, MB |"
    yield "|---|---|---|---|---|---|---|"
    trained = _trained(results)
    for method in (FULL, *trained, HARD, BLIND, *(each + FOREIGN for each in trained), NONE):
        for cell in results.cells.values():
            if cell.part == part and cell.method == method:
                yield _row(results, cell)
    yield ""
    for method in trained:
        for ratio in results.facts["training"][method]["config"]["ratios"]:
            yield from _verdict(results, part, method, ratio)
    yield from _read(results, part)
    yield ""


def _row(results: Results, cell: Cell) -> str:
    own = [scores(results, *cell.key[:3], measure) for measure in ("exact", "f1", "holds")]
    told = " | ".join(percent(mean(each)) for each in own if each is not None)
    reached = f"{cell.realised:.1f}" if cell.realised else ""
    first, kept_mb = median(cell.seconds), cell.held / _MB
    return f"| {_row_name(cell.method)} | {reached} | {told} | {first:.2f} | {kept_mb:.1f} |"


def _row_name(method: str) -> str:
    if method == HARD:
        return f"{HARD}, question known"
    return method if method in (BLIND, FULL, NONE) else _name(method)


def _verdict(results: Results, part: str, method: str, ratio: int) -> Iterator[str]:
    """A method beside the full text, none, hard compression and memory of another text."""
    own, full, none = (scores(results, part, *which, "f1") for which in ((method, ratio), (FULL, 1), (NONE, 1)))
    if own is None or full is None or none is None:
        return
    apart = "apart" if mean(own).low > mean(none).high else "not apart"
    yield (
        f"- {_name(method)}, {ratio}x, has {percent(share(own, full))} of the full context's F1 (target: at "
        f"least {_WANTED}); its interval and that of no context are {apart} (target: apart)."
    )
    rivals = (
        (HARD, "hard compression with the question"),
        (BLIND, "without"),
        (method + FOREIGN, "memory of another text"),
    )
    for measure, name in (("f1", "F1"), ("holds", "answers that hold the reference")):
        told = [
            f"{what} {percent(gain)}"
            for rival, what in rivals
            if (gain := _gain(results, part, (method, ratio), (rival, ratio), measure)) is not None
        ]
        if told:
            yield f"  Lead in points of {name} over {', '.join(told)}."


def _read(results: Results, part: str) -> Iterator[str]:
    """What reading is worth: hard compression over no text at all, whose form is the same."""
    for method, ratio in sorted(
        {cell.key[1:3] for cell in results.cells.values() if cell.method in (HARD, BLIND)}
    ):
        gains = [_gain(results, part, (method, ratio), (NONE, 1), measure) for measure in ("f1", "holds")]
        told = [percent(each) for each in gains if each is not None]
        if told:
            yield f"- {_row_name(method)}, at {ratio}x, over no context: F1 {told[0]}, holds {told[-1]}."


def _gain(
    results: Results, part: str, one: tuple[str, int], other: tuple[str, int], measure: str
) -> Estimate | None:
    own, rival = (scores(results, part, *each, measure) for each in (one, other))
    return None if own is None or rival is None else lead(own, rival)


def _curves(results: Results) -> Iterator[str]:
    """Held-out loss by step, and what it would take at that pace."""
    training = results.facts.get("training", {})
    curves = {each: training[each]["curve"] for each in _trained(results) if training[each].get("curve")}
    if not curves:
        return
    yield "**Loss on held-out questions while training** (mean over answer tokens, and share of them said right)\n"
    yield "| step | " + " | ".join(map(_name, curves)) + " |"
    yield "|---" * (len(curves) + 1) + "|"
    points = {method: {step: (loss, right) for step, loss, right in curve} for method, curve in curves.items()}
    for step in sorted({step for each in points.values() for step in each}):
        shown = [_point(*each[step]) if step in each else "" for each in points.values()]
        yield f"| {step} | " + " | ".join(shown) + " |"
    yield ""
    for method, curve in curves.items():
        yield from _pace(_name(method), curve, training[method].get("bounds", {}))
    yield ""


def _point(loss: float, right: float) -> str:
    return f"{loss:.2f} / {100 * right:.0f}%"


def _pace(name: str, curve: list[list[float]], bounds: dict[str, Any]) -> Iterator[str]:
    """Read with care: the form of answers is learned first, and a rate that falls to zero lowers the loss once."""
    if bounds:
        yield (
            f"- {name}: the same questions behind the full text have {_point(**bounds['full'])}, behind no text "
            f"{_point(**bounds['none'])}."
        )
    last, loss, _ = curve[-1]
    middle, former, _ = min(curve, key=lambda point: abs(point[0] - last / 2))
    if middle and loss < former:
        pace = (former - loss) / log2(last / middle)
        yield f"  From step {middle:.0f} to {last:.0f} it fell by {pace:.2f} a doubling of the steps."
        if bounds and loss > bounds["full"]["loss"]:
            doublings = (loss - bounds["full"]["loss"]) / pace
            yield (
                f"  At that pace it would be level with the full text after {doublings:.1f} doublings more, "
                f"{last * 2**doublings:,.0f} steps: a guess that flatters. The form of an answer is in this loss, "
                "and the rate's fall at the end of a run."
            )
