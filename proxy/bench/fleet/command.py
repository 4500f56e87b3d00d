"""`moos bench fleet`: calibrates on this box, or says what a load needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from moosproxy.proxy.bench.fleet.costs import Costs, CostsError, read_costs
from moosproxy.proxy.bench.fleet.parts import Dispatch
from moosproxy.proxy.bench.fleet.sizing import ONE, Size, Sizer, share_of
from moosproxy.proxy.bench.fleet.traffic import Traffic
from moosproxy.proxy.bench.sides import SideError
from moosproxy.proxy.machine import load_average

PUBLISHED = Path(__file__).with_name("costs.json")
_CALM = 1.0
_OFF = 0.1
_DISPATCHES: tuple[Dispatch, ...] = ("told", "own", "two", "least")
_ABOVE_0 = click.FloatRange(min=0, min_open=True)
_LOADS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


@click.command("fleet")
@click.option("--calibrate", is_flag=True, help="Measure this box, write --costs, and hold the model to a run.")
@click.option("--costs", "file", type=click.Path(dir_okay=False, path_type=Path), help="File of measured costs.")
@click.option(
    "--seconds", type=_ABOVE_0, default=40.0, show_default=True, help="Length of each longer run that is measured."
)
@click.option("--requests-per-second", "rates", multiple=True, type=_ABOVE_0, default=(1_000,), show_default=True)
@click.option("--dispatch", type=click.Choice(_DISPATCHES), default="told", show_default=True)
@click.option("--new-tokens", default="100:20000", show_default=True, help="Shortest and longest newest text.")
@click.option("--history", default=50_000, show_default=True, help="Tokens of the older texts of a request.")
@click.option("--known", default=0.0, show_default=True, help="Share of newest texts that were sent before.")
@click.option("--tokens-per-second", type=_ABOVE_0, help="Of one replica, such as one with a GPU.")
@click.option("--seed", default=1, show_default=True)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the first load as SVG.")
def bench_fleet(
    calibrate: bool,
    file: Path | None,
    seconds: float,
    rates: Sequence[float],
    dispatch: Dispatch,
    new_tokens: str,
    history: int,
    known: float,
    tokens_per_second: float | None,
    seed: int,
    plot: Path | None,
) -> None:
    """How many proxies and compressors a load needs. Without --costs with the figures of the documentation."""
    if calibrate:
        _calibrate(file or Path("fleet.json"), seconds)
        return
    try:
        costs = faster(read_costs(file or PUBLISHED), tokens_per_second)
    except CostsError as fault:
        raise click.ClickException(str(fault)) from None
    shortest, longest = _bounds(new_tokens)
    sizer = Sizer(costs, Traffic(shortest, longest, history=history, known=known), dispatch, seed)
    click.echo(f"costs of {costs.machine}: {costs.tokens_per_s:.0f} tokens/s of a replica")
    sizes = [_sized(sizer, rate) for rate in rates]
    if plot:
        _plot(sizer, sizes[0], plot)


def faster(costs: Costs, tokens_per_s: float | None) -> Costs:
    """The same for a replica of another pace: each stage takes less in proportion."""
    if tokens_per_s is None:
        return costs
    share = costs.tokens_per_s / tokens_per_s
    stages = {name: getattr(costs, name) * share for name in ("text_token_s", "model_token_s", "model_s")}
    return replace(costs, **stages, machine="given")


def _bounds(given: str) -> tuple[int, int]:
    shortest, _, longest = given.partition(":")
    if not (shortest.isdigit() and longest.isdigit() and 0 < int(shortest) < int(longest)):
        raise click.BadParameter("two numbers such as 100:20000", param_hint="--new-tokens")
    return int(shortest), int(longest)


def _calibrate(file: Path, seconds: float) -> None:
    from moosproxy.proxy.bench.fleet.calibrate import calibrate

    busy = load_average()
    try:
        costs, compared = calibrate(seconds)
    except SideError as fault:
        raise click.ClickException(str(fault)) from None
    costs.write(file)
    click.echo(f"{'':46}{'':12}{'measured':>10}{'model':>10}{'off':>8}")
    for each in compared:
        click.echo(
            f"{each.run:46}{each.figure:12}{each.measured:10.2f}{each.simulated:10.2f}{each.off:+8.1%} {each.unit}"
        )
    beyond = [f"{each.run}: {each.figure}" for each in compared if abs(each.off) > _OFF]
    line: dict[str, dict[str, list[float]]] = {each.run: {} for each in compared}
    for each in compared:
        line[each.run][each.figure] = [round(each.measured, 3), round(each.simulated, 3)]
    if busy is not None and busy > _CALM:
        click.echo(f"load average {busy:.1f} before the run: other programs took part, the costs are theirs, too")
    click.echo(json.dumps({"bench": "fleet", "calibrated": line, "beyond": beyond, "load_average": busy}))


def _sized(sizer: Sizer, rate: float) -> Size:
    size = sizer.size(rate)
    click.echo(
        f"{rate:,.0f} requests/s: {size.proxies:,} proxies, {size.replicas:,} replicas ({size.busy:.0%} busy); "
        f"{size.whole:.1%} of texts go whole, 1 request of 20 waits {size.wait_p95_s:.2f} s or more; "
        f"Redis {size.redis:,.0f} commands/s, {size.gbit:,.1f} Gbit/s in, {size.probes:,.0f} probes/s"
    )
    for name in size.full():
        most, what = ONE[name]
        click.echo(f"  beyond {most:,.0f} {what}")
    click.echo(json.dumps({"bench": "fleet", "dispatch": sizer.dispatch, **size.line()}))
    return size


def _plot(sizer: Sizer, size: Size, file: Path) -> None:
    from moosproxy.proxy.bench.fleet.plots import draw

    full = size.busy * size.replicas
    waits: dict[str, list[tuple[float, float]]] = {}
    for dispatch in _DISPATCHES:
        other = Sizer(sizer.costs, sizer.traffic, dispatch, sizer.seed)
        runs = [(load, other.run(size.rate, size.proxies, round(full / load))) for load in _LOADS]
        waits[dispatch] = [(100 * load, share_of(run.waited, 0.95)) for load, run in runs]
    storm, growth = sizer.storm(size, 1 / 3, 35.0), sizer.growth(size, 8_000)
    draw(waits, {"a third of the replicas is killed": storm, "three times the load at 60 s": growth}, file)
    for name, run in (("loss", storm), ("rise", growth)):
        told = {"arrived": run.arrived, **run.ended, "retried": run.retried}
        click.echo(json.dumps({"bench": "fleet", "run": name, **told}))
