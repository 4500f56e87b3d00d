"""What the image installs: pinned as the tests ran, with a hash for every file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)(?:\[[\w,-]+\])?==(?P<version>[^ ;\\]+)", re.MULTILINE)


def pins(file: Path) -> dict[str, str]:
    """Versions by name."""
    return {found["name"].lower(): found["version"] for found in PIN.finditer(file.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_pin_is_the_tested_version_and_has_a_hash(lock: Path) -> None:
    tested = pins(ROOT / "constraints.txt")
    found = pins(lock)
    entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())

    assert len(found) == len(entries) > 3
    assert {name: version for name, version in found.items() if tested.get(name, version) != version} == {}
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_image_takes_everything_from_the_locks() -> None:
    steps = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install ([^\n]*)", steps)

    assert {lock.stem for lock in LOCKS} == {"base", "build", "local", "otel", "postgres", "providers"}
    assert installs
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    assert "USER moos" in steps
