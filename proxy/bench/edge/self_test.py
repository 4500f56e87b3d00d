"""One generation by a tiny model: whether this build of llama.cpp works here. `make local` ends with it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from pydoc_data.topics import topics

import click

from moosproxy.policies.fields.local import GgufModel
from moosproxy.proxy.bench.edge.gguf import Shape, train_tokenizer, write_gguf
from moosproxy.proxy.upstreams.llama_cpp.child import Child
from moosproxy.proxy.upstreams.llama_cpp.spec import spec_of
from moosproxy.proxy.upstreams.local.faults import ModelFault

_SHAPE = Shape(width=256, layers=2, heads=4, kv_heads=2, inner=512, context=1024, vocabulary=None)
_QUANTISED = ("Q8_0", "Q4_0")
"""Their products are those that processors differ in."""
_PROMPT, _ANSWER = 300, 8


async def answered(folder: Path, quantisation: str) -> int:
    """Tokens of an answer. Raises ModelFault."""
    file = folder / f"{quantisation}.gguf"
    write_gguf(file, _SHAPE, train_tokenizer(topics.values(), 1000), quantisation)
    child = await Child.start(spec_of(GgufModel(path=file), str(file)))
    message = {
        "op": "generate",
        "prompt": [100 + number for number in range(_PROMPT)],
        "max_tokens": _ANSWER,
        "sampling": {"temperature": 0},
    }
    try:
        *_, last = [event async for event in child.events(message)]
        return int(last["completion_tokens"])
    finally:
        await child.close()


def main() -> None:
    """Exits with 1 and the remedy where the build does not work."""
    with tempfile.TemporaryDirectory() as folder:
        for quantisation in _QUANTISED:
            try:
                asyncio.run(answered(Path(folder), quantisation))
            except ModelFault as fault:
                click.echo(f"moosproxy: this build of llama.cpp does not work here: {fault.message}", err=True)
                sys.exit(1)
    click.echo("moosproxy: llama.cpp answers")


if __name__ == "__main__":
    main()
