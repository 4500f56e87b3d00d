"""A model's process on its own: where it imports from, what it says when it dies, how it is ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from moosproxy.proxy.upstreams.llama_cpp import child as child_module
from moosproxy.proxy.upstreams.llama_cpp.child import Child
from moosproxy.proxy.upstreams.llama_cpp.spec import Spec
from moosproxy.proxy.upstreams.local.faults import ModelFault
from tests.proxy import tiny_gguf

pytestmark = tiny_gguf.needs_llama_cpp

ROOT = Path(child_module.__file__).parents[4]
GENERATE = {"op": "generate", "prompt": "A list is", "max_tokens": 3, "sampling": {"top_k": 0}}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    """A tiny model."""
    file = tiny_gguf.write(tmp_path_factory.mktemp("child") / "tiny.gguf")
    return Spec(str(file), 1024, 1, 1, 1)


async def test_what_lies_in_the_working_directory_is_never_imported(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proxy").mkdir()
    for name in ("numpy.py", "proxy/__init__.py"):
        (tmp_path / name).write_text("raise SystemExit('imported from the working directory')")
    monkeypatch.chdir(tmp_path)

    child = await Child.start(spec)
    assert (await child.ask(GENERATE))["event"] == "begin"
    await child.close()


def test_a_model_starts_where_only_the_proxy_itself_knows_the_way_to_the_package(
    spec: Spec, tmp_path: Path
) -> None:
    """A checkout that is not installed, asked from its own folder: a fresh Python has no other way to it."""
    script = (
        "import asyncio, os, sys\n"
        f"assert os.path.samefile(sys.path[0] or '.', {str(ROOT)!r})\n"
        "from moosproxy.proxy.upstreams.llama_cpp.child import Child\n"
        "from moosproxy.proxy.upstreams.llama_cpp.spec import Spec\n"
        "async def main():\n"
        f"    child = await Child.start({spec!r})\n"
        f"    assert await child.ask({GENERATE!r})\n"
        "    await child.close()\n"
        "asyncio.run(main())\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )

    assert (0, "") == (done.returncode, done.stderr)


async def test_a_process_that_dies_while_loading_says_why(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama_cpp.py").write_text("raise OSError('libgomp.so.1: no such file')")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModelFault, match=r"status 1 \(OSError: libgomp.so.1: no such file\)$"):
        await Child.start(spec)


async def test_a_process_that_does_not_stop_is_gone_when_the_next_request_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_CANCEL_S", 0.2)
    # A tiny model would be done before it is stopped, on a busy machine or because it ends its answer by chance.
    slow = tiny_gguf.write(tmp_path / "slow.gguf", tiny_gguf.SLOW, quantisation="Q8_0")
    child = await Child.start(Spec(str(slow), 4096, 1, 1, 1))
    long = {**GENERATE, "max_tokens": 4000, "sampling": {"temperature": 0}}
    async with aclosing(child.events(long)) as events:
        await anext(events)
        os.kill(child.pid, signal.SIGSTOP)
        other = asyncio.create_task(child.ask({**GENERATE, "op": "count"}))
        await asyncio.sleep(0)

    assert not child.alive
    with pytest.raises(ModelFault, match=r"did not stop .* the next request starts it again") as caught:
        await other
    assert "memory" not in caught.value.message
    await child.close()


async def test_what_cannot_be_sent_is_a_bad_request_and_the_process_goes_on(spec: Spec) -> None:
    deep: list[object] = []
    for _ in range(600):
        deep = [deep]
    child = await Child.start(spec)
    async with asyncio.timeout(4):  # a process that does not stop is ended after five
        for odd in (deep, 10**30, ["\ud83d", 10**30]):
            with pytest.raises(ModelFault, match="beyond 64 bits, or is nested too deeply") as caught:
                await child.ask({**GENERATE, "odd": odd})
            assert "request" == caught.value.kind

    assert (await child.ask(GENERATE))["event"] == "begin"
    await child.close()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGILL, "built for another processor .* `make local`.* CMAKE_ARGS=-DGGML_NATIVE=OFF .*AMX"),
        (signal.SIGSEGV, "signal 11; .* CMAKE_ARGS=-DGGML_NATIVE=OFF .*AMX"),
        (signal.SIGKILL, "want of memory; lower context or max_memory_mb"),
    ],
)
async def test_an_end_by_a_signal_names_the_remedy(spec: Spec, number: signal.Signals, words: str) -> None:
    child = await Child.start(spec)
    try:
        events = child.events({**GENERATE, "max_tokens": None, "sampling": {"logit_bias": {"300": 100}}})
        async with aclosing(events):
            with pytest.raises(ModelFault, match=words):
                async for _ in events:
                    os.kill(child.pid, number)
    finally:
        await child.close()
