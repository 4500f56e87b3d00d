"""What is published, and what a checkout is worth where git makes no links."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import moosproxy

ROOT = Path(__file__).parents[1]
INFO = f"moosproxy-{moosproxy.__version__}.dist-info"
ROOMS = ("proxy", "compressor", "policies")
JUNK = ("__pycache__", ".import_linter_cache", ".mypy_cache", ".venv", "runs/", "tests/", ".pyc", ".git/", ".ci/")


def build(source: Path, out: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it, without a network."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, capture_output=True, check=True, timeout=100)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def without_links(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The checkout as git makes it on Windows: a link is a text file that names its target."""
    copy = tmp_path_factory.mktemp("windows") / "clone"
    kept_out = shutil.ignore_patterns(".*", "__pycache__", "tests", "runs", "dist", "build")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=kept_out)
    for room in ROOMS:
        link = copy / "moosproxy" / room
        target = os.readlink(link)
        link.unlink()
        link.write_text(target)
    yield copy
    shutil.rmtree(copy)


@pytest.mark.slow
def test_the_wheel_has_one_name_and_each_file_once(built: tuple[Path, Path]) -> None:
    names = names_in(built[1])

    assert {name.partition("/")[0] for name in names} == {"moosproxy", INFO}
    assert len(names) == len(set(names))
    assert not [name for name in names if any(junk in name for junk in JUNK)]


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_rooms(built: tuple[Path, Path]) -> None:
    listed = subprocess.run(["git", "ls-files", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=True)
    wanted = {f"moosproxy/{name}" for name in listed.stdout.splitlines()}

    assert wanted <= set(names_in(built[1]))
    assert {
        "moosproxy/py.typed",
        "moosproxy/compressor/checkpoints/moos-minilm/model.safetensors",
        "moosproxy/compressor/checkpoints/moos-minilm/model.onnx",
        "moosproxy/compressor/text/encodings/o200k_base.tiktoken.gz",
        "moosproxy/policies/examples/default.yaml",
        "moosproxy/policies/examples/company/teams/legal.yaml",
        "moosproxy/proxy/commands/demo_document.md",
        "moosproxy/proxy/ui/index.html",
        "moosproxy/proxy/ui/vendor/uPlot.iife.min.js",
        f"{INFO}/licenses/LICENSE",
        f"{INFO}/licenses/NOTICE",
    } <= set(names_in(built[1]))


@pytest.mark.slow
def test_the_sdist_has_each_file_once_and_no_junk(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        names = [member.name.partition("/")[2] for member in files]

    assert len(names) == len(set(names))
    assert not [name for name in names if any(junk in name for junk in JUNK)]
    assert {"moosproxy/__init__.py", "proxy/app.py", "NOTICE", "docs/policies.md"} <= set(names)
    assert not [name for name in names if name.startswith(tuple(f"moosproxy/{room}" for room in ROOMS))]


@pytest.mark.slow
def test_a_wheel_from_a_checkout_without_links_is_the_same(
    built: tuple[Path, Path], without_links: Path, tmp_path: Path
) -> None:
    assert sorted(names_in(build(without_links, tmp_path)[1])) == sorted(names_in(built[1]))


@pytest.mark.slow
def test_a_checkout_without_links_can_be_imported(without_links: Path, tmp_path: Path) -> None:
    script = (
        "import moosproxy, pickle\n"
        "from moosproxy import CompressionSettings, Compressor, create_app\n"
        "import moosproxy.compressor, moosproxy.policies.files.load\n"
        "assert pickle.loads(pickle.dumps(CompressionSettings(ratio=3))).ratio == 3\n"
        "print(moosproxy.compressor.__file__)"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(without_links)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == str(without_links / "compressor" / "__init__.py")
