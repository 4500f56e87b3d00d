"""The parts around llama.cpp: damaged files, files from a hub, grammars, the edge bench, moos doctor."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot  # noqa: F401 - what the bench draws with; a missing one must show here

from moosproxy.policies.fields.local import GgufModel, LocalLimits
from moosproxy.proxy.commands.doctor.command import doctor
from moosproxy.proxy.upstreams.llama_cpp.gguf_file import read_gguf
from moosproxy.proxy.upstreams.llama_cpp.hub import HubFile
from moosproxy.proxy.upstreams.llama_cpp.models import LocalModels
from moosproxy.proxy.upstreams.llama_cpp.spec import spec_of
from moosproxy.proxy.upstreams.local.faults import ModelFault
from tests.proxy import tiny_gguf

pytestmark = tiny_gguf.needs_llama_cpp

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file."""
    return tiny_gguf.write(tmp_path_factory.mktemp("parts") / "tiny.gguf")


def test_a_files_head_tells_its_memory(tiny: Path) -> None:
    file = read_gguf(tiny)
    weights, windows = file.memory(1000, 3)

    shape = tiny_gguf.TINY
    assert (shape.context, "qwen2") == (file.trained, file.architecture)
    assert 3 * 1000 * shape.layers * 2 * shape.kv_heads * (shape.width // shape.heads) * 2 == windows
    assert weights > tiny.stat().st_size
    assert file.memory(10**9, 1)[1] == file.memory(shape.context, 1)[1]


def test_all_parts_of_a_split_model_count(tiny: Path, tmp_path: Path) -> None:
    first, second = (tmp_path / f"tiny-0000{part}-of-00002.gguf" for part in (1, 2))
    first.write_bytes(tiny.read_bytes())
    with pytest.raises(ModelFault, match=f"no model file {second}"):
        read_gguf(first)
    second.write_bytes(b"x" * 1000)

    assert tiny.stat().st_size + 1000 == read_gguf(first).size


async def test_a_tilde_is_the_home_directory(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tiny.parent))
    models = LocalModels({"m": GgufModel(path=Path("~") / tiny.name)}, LocalLimits())

    assert tiny == (await models.described("m"))[0].path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.integers(0, 3000), st.binary(min_size=0, max_size=8))
def test_a_damaged_head_is_told_and_never_more(tiny: Path, tmp_path: Path, at: int, junk: bytes) -> None:
    data = tiny.read_bytes()[:200_000]
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(data[:at] + junk)
    with pytest.raises(ModelFault, match=r"damaged|does not say"):
        read_gguf(broken)

    broken.write_bytes(data[:at] + junk + data[at + len(junk) :])
    try:
        read_gguf(broken)
    except ModelFault as fault:
        assert "file" == fault.kind


async def test_a_file_of_a_hub_is_found_there(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    asked: list[tuple[str, str, bool]] = []

    def download(repo: str, file: str, *, local_files_only: bool = False, **_: Any) -> str:
        asked.append((repo, file, local_files_only))
        if local_files_only:
            raise FileNotFoundError
        return str(tiny)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    models = LocalModels({"m": GgufModel(repo="some/repo", file="tiny.gguf")}, LocalLimits())

    assert tiny == (await models.described("m"))[0].path
    assert [("some/repo", "tiny.gguf", True), ("some/repo", "tiny.gguf", False)] == asked


async def test_all_parts_of_a_split_model_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    asked: list[str] = []

    def download(repo: str, file: str, **_: Any) -> str:
        asked.append(file)
        return str(tmp_path / file)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    names = [f"q4/m-0000{part}-of-00003.gguf" for part in (1, 2, 3)]

    assert tmp_path / names[0] == await HubFile("some/repo", names[0]).path()
    assert names == asked


async def test_a_hub_that_does_not_answer_is_asked_once_and_not_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    asked: list[str] = []

    def download(repo: str, file: str, *, local_files_only: bool = False, **_: Any) -> str:
        if not local_files_only:
            asked.append(file)
        raise OSError

    monkeypatch.setattr(hub, "hf_hub_download", download)
    models = LocalModels({"m": GgufModel(repo="some/repo", file="tiny.gguf")}, LocalLimits())

    async def refused() -> None:
        with pytest.raises(ModelFault, match=r"could not be fetched \(OSError\).* next try comes after"):
            await models.described("m")

    await asyncio.gather(refused(), refused())
    await refused()
    assert ["tiny.gguf"] == asked

    monkeypatch.setattr("moosproxy.proxy.upstreams.llama_cpp.hub._AGAIN_S", -1.0)
    await refused()
    assert 2 == len(asked)


def test_a_hub_that_does_not_answer_does_not_hold_up_the_end(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    script = (
        "import asyncio, huggingface_hub, time\n"
        "from pathlib import Path\n"
        "from moosproxy.proxy.upstreams.llama_cpp.hub import HubFile\n"
        "huggingface_hub.hf_hub_download = lambda *_, **__: time.sleep(600)\n"
        "async def main():\n"
        "    asking = asyncio.create_task(HubFile('some/repo', 'tiny.gguf').path())\n"
        "    await asyncio.sleep(0.1)\n"
        "    asking.cancel()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=60)

    assert (0, b"") == (done.returncode, done.stderr)


async def test_a_hub_out_of_reach_is_told_with_the_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    models = LocalModels({"m": GgufModel(repo="some/repo", file="tiny.gguf")}, LocalLimits())

    with pytest.raises(ModelFault, match="fetch it where there is a network"):
        await models.described("m")


def test_threads_survive_a_busy_neighbour_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, threads in ((1, 1), (2, 1), (4, 2), (8, 4)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        spec = spec_of(GgufModel(path=Path("x")), "x")
        assert (threads, cores) == (spec.threads, spec.batch_threads)
    assert 7 == spec_of(GgufModel(path=Path("x"), threads=7), "x").threads


def test_doctor_tells_memory_and_break_even_of_each_model(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "moos.yaml"
    models = {"good": {"path": str(tiny)}, "gone": {"path": str(tmp_path / "none.gguf")}}
    file.write_text(json.dumps({"upstreams": {"local": {"kind": "llama_cpp", "models": models}}}))
    monkeypatch.setenv("MOOS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MOOS_POLICIES", str(file))
    done = CliRunner().invoke(doctor)

    lines = {line.partition(":")[0]: line for line in done.output.splitlines()}
    assert "4096 tokens, about" in lines["[ok] model good"]
    assert "tokens/s, the compressor" in lines["[ok] model good"]
    assert "there is no model file" in lines["[XX] model gone"]
    assert 1 == done.exit_code
