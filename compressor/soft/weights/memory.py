"""Whether there is memory for a model, asked before it is read: a system without any left ends the process."""

from __future__ import annotations

from pathlib import Path

from moosproxy.compressor.soft.errors import SoftError

_GB = 1 << 30


def enough(wanted: int, what_for: str) -> None:
    """Raises SoftError where this machine has not so many bytes free. what_for: in words, behind the number."""
    free = free_bytes()
    if free is not None and wanted > free:
        raise SoftError(
            f"there is not enough memory {what_for}: it takes {wanted / _GB:.1f} GB, "
            f"and {free / _GB:.1f} GB are free"
        )


def free_bytes(place: Path = Path("/proc/meminfo")) -> int | None:
    """Memory that a process can have, None where the system does not tell."""
    try:
        lines = place.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found and found[0].isdigit() else None
