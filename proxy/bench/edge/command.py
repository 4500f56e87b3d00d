"""`moos bench edge`: how much sooner a local model answers because its prompt is shorter.

The proxy runs as on an edge box, with the compressor and the model behind it, and streamed requests are timed from
outside. Lengths and ratios take turns in one run, so that a busy moment of the machine hits them alike.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from moosproxy.proxy.bench.edge.life import Life, life
from moosproxy.proxy.bench.edge.models import EdgeModel, find_models
from moosproxy.proxy.bench.edge.report import page, plot, summary, table
from moosproxy.proxy.bench.edge.run import CALIBRATION_TOKENS, EdgeClient, Figure, measure
from moosproxy.proxy.bench.sides import SideError, edge_box
from moosproxy.proxy.machine import load_average, machine

_ANSWER = 16


class Numbers(click.ParamType[tuple[float, ...]]):
    """A list of numbers with commas between them."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Raises click's usage error."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers such as 1,2,4", param, ctx)


@click.command("edge")
@click.option("--model", "models", multiple=True, help="0.5b, 1.5b or a GGUF file; repeatable.  [both shapes]")
@click.option("--tokens", type=Numbers(), default="1024,2048,4096,8192", show_default=True, help="Prompt lengths.")
@click.option("--ratios", type=Numbers(), default="2,3,4", show_default=True, help="Beside no compression.")
@click.option("--rounds", default=3, show_default=True, help="Requests of each kind; the median counts.")
@click.option("--answer", default=_ANSWER, show_default=True, help="Tokens of each answer.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where random models are kept.  [a temporary one]")
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as Markdown.")
@click.option("--plot", "image", type=click.Path(dir_okay=False, path_type=Path), help="Draw the gain as SVG.")
def bench_edge(
    models: tuple[str, ...],
    tokens: tuple[float, ...],
    ratios: tuple[float, ...],
    rounds: int,
    answer: int,
    folder: Path | None,
    write: Path | None,
    image: Path | None,
) -> None:
    """Time to first token and in all, with and without compression, of a model on this machine.

    Then a second turn, and how soon a request that is given up frees the model.
    """
    lengths = [int(number) for number in tokens]
    load = [load_average()]
    results: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        kept = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            for model in find_models(models or ("0.5b", "1.5b"), kept):
                click.echo(f"{model.name}: {model.description}", err=True)
                figures, lived, memory = _run(model, lengths, [1.0, *ratios], rounds, answer)
                results[model.name] = summary(model, figures, lived, memory)
                click.echo(f"{model.name}: {model.description}\n{table(results[model.name])}\n")
        except SideError as fault:
            raise click.ClickException(str(fault)) from None
    load.append(load_average())
    line = {"bench": "edge", "models": results, "rounds": rounds, "machine": machine(), "load_average": load}
    if image is not None:
        plot(results, image)
    if write is not None:
        write.write_text(page(line, image), encoding="utf-8")
    click.echo(json.dumps(line))


def _run(
    model: EdgeModel, lengths: list[int], ratios: list[float], rounds: int, answer: int
) -> tuple[list[Figure], Life, float | None]:
    """The figures, and the most memory in megabytes that the proxy and its model have taken together."""
    longest = max(*lengths, 2 * CALIBRATION_TOKENS)
    window = longest + longest // 8 + answer + 256
    with edge_box(model.path, window) as side:
        figures, lived = asyncio.run(_measured(side.port, lengths, ratios, rounds, answer))
        return figures, lived, side.peak_mb()


async def _measured(
    port: int, lengths: list[int], ratios: list[float], rounds: int, answer: int
) -> tuple[list[Figure], Life]:
    async with EdgeClient.connected(port, ratios) as client:
        lived = await life(client, lengths[len(lengths) // 2], max(ratios), answer)
        return await measure(client, lengths, ratios, rounds, answer), lived
