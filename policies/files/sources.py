"""Which files make up a set, and their bytes. The only module of this room's loading that touches the disk."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from moosproxy.policies.faults import Fault, PolicyError

MAIN_NAMES = ("moos.yaml", "moos.yml")
TEAMS_FOLDER = "teams"
SUFFIXES = (".yaml", ".yml")
MAX_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was read; stem is a team file's team."""

    name: str
    stem: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sources:
    """The main file and the team files in order of their names."""

    main: SourceFile
    teams: tuple[SourceFile, ...] = ()


def main_file(path: str | os.PathLike[str]) -> Path:
    """The main file: the path itself, or moos.yaml in it if it is a folder. Raises PolicyError."""
    place = Path(path)
    if not place.is_dir():
        return place
    for name in MAIN_NAMES:
        if (place / name).is_file():
            return place / name
    raise PolicyError([Fault(str(place), "", f"is a folder without {MAIN_NAMES[0]}")])


def team_files(main: Path) -> list[Path]:
    """The team files beside a main file. Hidden files, such as editors leave behind, are not among them."""
    folder = main.parent / TEAMS_FOLDER
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and not file.name.startswith("."))


def read_sources(path: str | os.PathLike[str]) -> Sources:
    """Every file of a set. Raises PolicyError naming each file that cannot be read."""
    main = main_file(path)
    faults: list[Fault] = []
    try:
        teams = team_files(main)
    except OSError as fault:
        teams = []
        faults.append(_unreadable(main.parent / TEAMS_FOLDER, fault))
    read: list[SourceFile] = []
    for file in (main, *teams):
        try:
            read.append(_read(file))
        except OSError as fault:
            faults.append(_unreadable(file, fault))
    large = [source for source in read if len(source.content) > MAX_BYTES]
    faults += [Fault(source.name, "", f"is larger than {MAX_BYTES:,} bytes") for source in large]
    if faults:
        raise PolicyError(faults)
    return Sources(read[0], tuple(read[1:]))


def _read(file: Path) -> SourceFile:
    with file.open("rb") as stream:
        return SourceFile(str(file), file.stem, stream.read(MAX_BYTES + 1))


def _unreadable(file: Path, fault: OSError) -> Fault:
    return Fault(str(file), "", f"cannot be read: {(fault.strerror or str(fault)).lower()}")
