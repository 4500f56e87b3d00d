"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_OURS = ("moosproxy", "uvicorn", "uvloop", "httptools", "aiohttp")


def machine() -> str:
    """Processor and number of CPUs."""
    model = ""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        model = platform.processor()
    virtual = "virtual CPUs" if _is_virtual() else "CPUs"
    return f"{os.cpu_count()} {virtual} ({model or platform.machine()}), {platform.system()}"


def _is_virtual() -> bool:
    try:
        return " hypervisor" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def load_average() -> float | None:
    """Processes that wanted a CPU in the last minute; None where the system does not tell."""
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):  # Windows has none
        return None


def versions(litellm: str | None) -> dict[str, str]:
    """Of Python and of what the run used. litellm: path of its program."""
    out = {"python": platform.python_version()}
    for name in _OURS:
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "?"
    if litellm is not None:
        out["litellm"] = _litellm_version(Path(litellm).with_name("python"))
    return out


def _litellm_version(interpreter: Path) -> str:
    script = "import importlib.metadata as m; print(m.version('litellm'))"
    found = subprocess.run([str(interpreter), "-c", script], capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() or "?"


def memory_bytes() -> int:
    """Of the whole machine; more than any has where nobody knows."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return sys.maxsize
