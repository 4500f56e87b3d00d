"""The `moos` command. Subcommands are imported when they are called, so that `moos --help` is quick."""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Final

import click
from click.shell_completion import CompletionItem

from moosproxy import __version__

# name -> (module, attribute, one line for the list)
_COMMANDS: Final = {
    "serve": ("moosproxy.proxy.commands.serve", "serve", "Start the proxy."),
    "serve-compressor": (
        "moosproxy.proxy.commands.tier.command",
        "serve_compressor",
        "Start a replica of the compressor tier.",
    ),
    "doctor": ("moosproxy.proxy.commands.doctor.command", "doctor", "Say what works and what is missing."),
    "demo": (
        "moosproxy.proxy.commands.demo",
        "demo",
        "Send a real document through the proxy: before, after, saved.",
    ),
    "report": ("moosproxy.proxy.commands.report.command", "report", "What was spent and saved, from the ledger."),
    "wrap": ("moosproxy.proxy.commands.wrap", "wrap", "Start a tool with its requests through the proxy."),
    "pull": ("moosproxy.proxy.commands.pull", "pull", "Fetch a model for this machine."),
    "policy": ("moosproxy.proxy.commands.policies", "policy", "Check, explain and describe policies."),
    "key": ("moosproxy.policies.key_cli", "key", "Make, list and revoke keys."),
    "compress": ("moosproxy.compressor.commands.compress", "compress", "Compress a file or standard input."),
    "calibrate": (
        "moosproxy.proxy.commands.calibrate",
        "calibrate",
        "Measure how far texts can be shortened for a share of answers.",
    ),
    "train": ("moosproxy.compressor.commands.train", "train", "Train a checkpoint."),
    "eval": ("moosproxy.proxy.commands.evaluate", "evaluate_all", "Evaluate a checkpoint."),
    "bench": ("moosproxy.proxy.commands.cli", "bench", "Measure the proxy or the compressor beside their rivals."),
}
_BENCHES: Final = {
    "proxy": (
        "moosproxy.proxy.bench.proxy_bench",
        "bench_proxy",
        "The pass-through path beside the LiteLLM proxy.",
    ),
    "turn": (
        "moosproxy.proxy.bench.turn_bench",
        "bench_turn",
        "A turn of a long conversation, every old part cached.",
    ),
    "edge": (
        "moosproxy.proxy.bench.edge.command",
        "bench_edge",
        "A local model with and without compression: time to first token.",
    ),
    "overload": (
        "moosproxy.proxy.bench.overload",
        "bench_overload",
        "More work than can be done: what gets through.",
    ),
    "soak": ("moosproxy.proxy.bench.soak", "bench_soak", "Many clients for minutes: failures, skips, memory."),
    "fleet": (
        "moosproxy.proxy.bench.fleet.command",
        "bench_fleet",
        "How many proxies and replicas a load needs.",
    ),
    "tier": ("moosproxy.proxy.bench.tier.command", "bench_tier", "A compressor tier beside an own model."),
    "faults": ("moosproxy.proxy.bench.faults.command", "bench_faults", "What each fault costs, measured."),
    "fuzz": ("moosproxy.proxy.bench.fuzz.command", "bench_fuzz", "Hostile requests over every door."),
    "compress": ("moosproxy.compressor.commands.evaluate", "bench_compress", "The compressor beside llmlingua."),
    "stages": (
        "moosproxy.compressor.commands.evaluate",
        "bench_stages",
        "Processor time of each stage, by kind of text.",
    ),
}


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on use."""

    def __init__(self, *, places: dict[str, tuple[str, str, str]], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, attribute, _ = place
        try:
            command = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as fault:
            raise click.ClickException(f"`{cmd_name}` is not available in this installation: {fault}") from None
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names from the list: the group's own way would import every command with each press of Tab."""
        names = [name for name in self._places if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self._places[name][2]) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in self._places.items()])


@click.group(cls=LazyGroup, places=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="moos")
def main() -> None:
    """A drop-in OpenAI-compatible proxy that shortens long prompts."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that cannot show a character must not end the program
            stream.reconfigure(errors="replace")


@click.group(cls=LazyGroup, places=_BENCHES)
def bench() -> None:
    """Measure the proxy or the compressor beside their rivals."""


if __name__ == "__main__":
    main()
