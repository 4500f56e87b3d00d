"""Files that break under the proxy: policies, checkpoint, a full disk; and a clock that jumps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from moosproxy.compressor.checkpoint import BUNDLED
from moosproxy.proxy.bench.faults.box import Box
from moosproxy.proxy.bench.faults.scenario import NOTHING, CannotRun, Row, fault, until
from moosproxy.proxy.bench.faults.stage import Stage

_POLICIES, _CHECKPOINT, _MACHINE = "Policies", "The checkpoint", "The machine"
_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/local/lib/faketime",
)


def _spoiled_policies(stage: Stage, spoil: Callable[[Path], None]) -> Row:
    """The last good ones stay in force and readiness says so; normal is when mended ones are in force."""
    with stage.box() as box:
        good = json.loads(box.policies.read_text())
        spoil(box.policies)
        noticed = until(lambda: box.check("policies") == "degraded", 20)
        meanwhile = [stage.ask(box) for _ in range(3)]
        good["defaults"] = {**good["defaults"], "enabled": False}
        box.policies.parent.mkdir(exist_ok=True)
        box.policies.write_text(json.dumps(good))
        seconds = until(lambda: not stage.ask(box).shortened, 20)
        mended = box.check("policies")
    findings = stage.findings(*meanwhile) + [one.says() for one in meanwhile if not (one.good and one.shortened)]
    findings += [] if noticed < 20 else ["/readyz does not tell"]
    findings += [] if seconds < 20 and mended == "ok" else ["the mended file does not come into force"]
    return Row(f"{meanwhile[-1].says()}; `/readyz` is degraded after {noticed:.1f} s", seconds, findings=findings)


@fault(_POLICIES, "broken YAML while serving")
def policies_broken(stage: Stage) -> Row:
    return _spoiled_policies(stage, lambda file: _void(file.write_text("defaults: [unclosed")))


@fault(_POLICIES, "an unknown field while serving")
def policies_unknown(stage: Stage) -> Row:
    return _spoiled_policies(stage, lambda file: _void(file.write_text('{"defaults": {"ratoi": 2}}')))


@fault(_POLICIES, "half-written while serving")
def policies_half(stage: Stage) -> Row:
    return _spoiled_policies(stage, lambda file: os.truncate(file, file.stat().st_size // 2))


@fault(_POLICIES, "empty while serving")
def policies_empty(stage: Stage) -> Row:
    return _spoiled_policies(stage, lambda file: os.truncate(file, 0))


@fault(_POLICIES, "removed while serving")
def policies_removed(stage: Stage) -> Row:
    return _spoiled_policies(stage, lambda file: file.unlink())


def _void(_: object) -> None:
    """Drops a value."""


def _copy(stage: Stage, name: str) -> Path:
    folder = stage.folder / name
    shutil.copytree(BUNDLED, folder)
    return folder


def _damaged(stage: Stage, name: str, damage: Callable[[Path], None]) -> Row:
    """Served without compression, and readiness says why; normal is after a start with a whole one."""
    folder = _copy(stage, name)
    damage(folder)
    with stage.box(MOOS_CHECKPOINT=str(folder)) as box:
        seen, state = stage.ask(box), box.check("checkpoint")
    began = time.monotonic()
    with stage.box(MOOS_CHECKPOINT=str(BUNDLED)) as box:
        findings = [] if stage.good(box) else ["a whole one is not taken"]
        seconds = time.monotonic() - began
    findings += stage.findings(seen) + ([] if seen.good and not seen.shortened else [seen.says()])
    findings += [] if state == "missing" else [f"/readyz says {state}"]
    return Row(f"{seen.says()}; `/readyz`: checkpoint {state}", seconds, findings=findings)


@fault(_CHECKPOINT, "a flipped bit at start")
def checkpoint_flipped(stage: Stage) -> Row:
    def flip(folder: Path) -> None:
        file = folder / "model.safetensors"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)

    return _damaged(stage, "flipped", flip)


@fault(_CHECKPOINT, "cut short at start")
def checkpoint_cut(stage: Stage) -> Row:
    def cut(folder: Path) -> None:
        file = folder / "model.safetensors"
        os.truncate(file, file.stat().st_size // 2)

    return _damaged(stage, "cut", cut)


@fault(_CHECKPOINT, "absent at start")
def checkpoint_absent(stage: Stage) -> Row:
    return _damaged(stage, "absent", shutil.rmtree)


@fault(_CHECKPOINT, "removed while serving")
def checkpoint_removed(stage: Stage) -> Row:
    folder = _copy(stage, "removed")
    with stage.box(MOOS_CHECKPOINT=str(folder)) as box:
        text = stage.text()
        first = stage.ask(box, text=text)
        shutil.rmtree(folder)
        seen = [stage.ask(box), stage.ask(box, text=text), stage.ask(box, text=stage.text(4_000))]
        served = until(lambda: stage.good(box))
    findings = stage.findings(first, *seen) + stage.same(first, seen[1])
    findings += [one.says() for one in seen if not (one.good and one.shortened)]
    return Row(f"{seen[0].says()}: it is in memory", served, findings=findings)


@contextmanager
def _tiny_disk(folder: Path, kilobytes: int = 64, filled: int = 60_000) -> Iterator[Path]:
    """One with so many bytes on it. Raises CannotRun."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        made = False
    if not made:
        raise CannotRun("a small disk can be mounted by root alone")
    try:
        (folder / "filled").write_bytes(bytes(filled))
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)  # noqa: S603, S607


def _without_room(stage: Stage, before: Sequence[str] = (), **environment: str) -> Row:
    """Two workers, so that metrics go through files as well."""
    with stage.box(workers=2, before=before, **environment) as box:
        seen = [stage.ask(box) for _ in range(6)]
        time.sleep(1.5)  # metrics are written every second
        seen += [stage.ask(box) for _ in range(6)]
        died = box.deaths()
    findings = (
        stage.findings(*(one for one in seen if one.good)) + [one.says() for one in seen if not one.good][:3]
    )
    findings += [f"workers died {died} times"] if died else []
    return Row(seen[-1].says(), None, NOTHING, findings)


@fault(_MACHINE, "the state folder's disk is full (tmpfs of 64 kB)")
def disk_full_state(stage: Stage) -> Row:
    with _tiny_disk(stage.folder / "full-state") as disk:
        return _without_room(stage, MOOS_STATE_DIR=str(disk))


@fault(_MACHINE, "the disk for temporary files is full (tmpfs of 64 kB), two workers")
def disk_full_temporary(stage: Stage) -> Row:
    with _tiny_disk(stage.folder / "full-tmp") as disk:
        return _without_room(stage, TMPDIR=str(disk))


@fault(_MACHINE, "the disk for temporary files fills up while serving, two workers")
def disk_fills(stage: Stage) -> Row:
    with _tiny_disk(stage.folder / "fills", 40_000, 0) as disk, stage.box(workers=2, TMPDIR=str(disk)) as box:
        before = [stage.ask(box) for _ in range(6)]
        with suppress(OSError):
            (disk / "filled").write_bytes(bytes(40_000_000))
        meanwhile = [stage.ask(box, script) for script in ("ok", "limited", "failing", "redirect") * 20]
        time.sleep(1.5)
        meanwhile += [stage.ask(box) for _ in range(6)]
        (disk / "filled").unlink()
        seconds = until(lambda: stage.good(box))
        died = box.deaths()
    findings = stage.findings(*before, *meanwhile) + ([f"workers died {died} times"] if died else [])
    return Row(meanwhile[-1].says(), seconds, findings=findings)


@fault(_MACHINE, "the state folder may not be written")
def state_read_only(stage: Stage) -> Row:
    return _without_room(stage, MOOS_STATE_DIR="/proc/nowhere")


@fault(_MACHINE, "standard output's disk is full (/dev/full)")
def log_full(stage: Stage) -> Row:
    if not Path("/dev/full").exists():
        raise CannotRun("/dev/full is not there")
    return _without_room(stage, ("sh", "-c", 'exec "$@" >/dev/full', "sh"))


@fault(_MACHINE, "the clock jumps a day ahead, then two days back")
def clock_jump(stage: Stage) -> Row:
    library = _faketime(stage)
    clock = stage.folder / "clock"
    clock.write_text("+0")
    faked = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    with stage.box(**faked, FAKETIME_DONT_FAKE_MONOTONIC="1") as box:
        text = stage.text()
        seen = [stage.ask(box, text=text)]
        for jump in ("+1d", "-1d"):
            clock.write_text(jump)
            seen += [stage.ask(box, text=text), stage.ask(box)]
        day = _last_day(box)
        served = until(lambda: stage.good(box))
    findings = stage.findings(*seen) + stage.same(seen[0], seen[1], seen[3])
    findings += [one.says() for one in seen if not (one.good and one.shortened)]
    if day == time.strftime("%Y-%m-%d", time.gmtime()):
        raise CannotRun("the proxy's clock did not follow libfaketime")
    return Row(f"{seen[-1].says()}; the same bytes before and after", served, findings=findings)


def _faketime(stage: Stage) -> str:
    places = [Path(folder, "libfaketimeMT.so.1") for folder in _LIBRARIES]
    found = stage.faketime or next((str(place) for place in places if place.exists()), None)
    if found is None:
        raise CannotRun("libfaketime is not installed; `--faketime FILE` names it elsewhere")
    return found


def _last_day(box: Box) -> str:
    lines = [line for line in box.log().splitlines() if line.startswith('{"ts"')]
    return str(json.loads(lines[-1])["ts"])[:10]
