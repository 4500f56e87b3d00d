"""Keys in policy files: where each one stands; making, rotating and revoking them without touching the rest."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moosproxy.policies.faults import Fault, PolicyError, did_you_mean
from moosproxy.policies.files.document import instant
from moosproxy.policies.files.reading import read_yaml
from moosproxy.policies.files.references import TEAM_NAME, declared
from moosproxy.policies.files.sources import TEAMS_FOLDER, main_file, team_files
from moosproxy.policies.keys import ID_DIGITS, hash_key, new_key
from moosproxy.policies.keytext import Entry, add_entry, comment, drop_entry, set_field
from moosproxy.policies.keytext import Path as Place

_KEPT = ("scope", "limits", "budget")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The key to be made. team: None for one of the main file. expires: None for never."""

    team: str | None
    scope: str = "use"
    expires: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, and where its hash is, or what must be written there by hand if not written."""

    key: str = field(repr=False)
    entry: Entry
    file: str
    written: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """A key as a file has it. place: of the list in the file. index: in the list. note: the comment beside it."""

    file: Path
    place: Place
    index: int
    team: str | None
    entry: Mapping[str, Any]
    note: str

    @property
    def id(self) -> str:
        """As commands and logs name it."""
        return str(self.entry["sha256"]).lower()[:ID_DIGITS]

    @property
    def expires(self) -> datetime | None:
        """None for never, and for what is no date."""
        with contextlib.suppress(ValueError):
            return instant(self.entry["expires"]) if self.entry.get("expires") else None
        return None


def store_key(path: str | os.PathLike[str], wanted: Wanted, create: bool = False) -> NewKey:
    """Make a key and store its SHA-256. Raises PolicyError, and has then changed nothing."""
    main = main_file(path)
    file = main if wanted.team is None else _file_of(main, wanted.team, create)
    key = new_key()
    entry = _entry(hash_key(key), {"scope": wanted.scope}, wanted.expires)
    if file is None:
        return NewKey(key, entry, str(main), False)
    changed = add_entry(_text(file), entry, wanted.note)
    _write(file, changed)
    return NewKey(key, entry, str(file), changed is not None)


def rotate_key(path: str | os.PathLike[str], old: str, wanted: Wanted, until: datetime) -> NewKey:
    """Make a key that takes the place of the one with this id, which goes on until then at the most.

    Scope, limits and budget are the old one's, and both count as one. Raises PolicyError.
    """
    found = find(path, old)
    key = new_key()
    kept = {name: found.entry[name] for name in _KEPT if name in found.entry}
    entry = _entry(hash_key(key), {**kept, "rotates": found.entry.get("rotates", found.id)}, wanted.expires)
    ends = min(filter(None, (found.expires, until)))
    text = _text(found.file)
    changed = set_field(text, found.place, found.index, "expires", stamp(ends))
    if changed is not None:
        changed = add_entry(changed, entry, wanted.note or found.note, found.place)
    _write(found.file, changed)
    return NewKey(key, entry, str(found.file), changed is not None)


def revoke_key(path: str | os.PathLike[str], key_id: str) -> Stored:
    """Take a key out of its file. Raises PolicyError, and has then changed nothing."""
    found = find(path, key_id)
    if len(list(stored(path))) == 1:
        reason = "is the last key, and without one the proxy would keep it: make another first (`moos key new`)"
        raise PolicyError([Fault(str(found.file), found.id, reason)])
    changed = drop_entry(_text(found.file), found.place, found.index)
    if changed is None:
        raise PolicyError([Fault(str(found.file), found.id, "cannot be taken out safely: delete it by hand")])
    _write(found.file, changed)
    return found


def find(path: str | os.PathLike[str], key_id: str) -> Stored:
    """The key whose id begins so. Raises PolicyError where there is none, or more than one."""
    wanted = key_id.strip().lower()
    every = list(stored(path))
    found = [key for key in every if wanted and key.id.startswith(wanted)]
    if len(found) != 1:
        problem = "is the beginning of several ids" if found else "is no key's id; `moos key list` shows them"
        raise PolicyError([Fault(str(main_file(path)), key_id, problem)])
    return found[0]


def stored(path: str | os.PathLike[str]) -> Iterator[Stored]:
    """Every key of every file, whether or not the files have faults elsewhere. Raises PolicyError."""
    main = main_file(path)
    text = _text(main)
    document = read_yaml(text.encode(), str(main))
    yield from _listed(main, text, document.data, (), None)
    for team in declared(document, "teams"):
        yield from _listed(main, text, document.data, ("teams", team), team)
    for file in team_files(main):
        text = _text(file)
        yield from _listed(file, text, read_yaml(text.encode(), str(file)).data, (), file.stem)


def stamp(moment: datetime) -> str:
    """As files hold it, to the second and of UTC."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _listed(file: Path, text: str, data: Any, above: Place, team: str | None) -> Iterator[Stored]:
    for step in above:
        data = data.get(step) if isinstance(data, dict) else None
    keys = data.get("keys") if isinstance(data, dict) else None
    for index, entry in enumerate(keys if isinstance(keys, list) else ()):
        entry = {"sha256": entry} if isinstance(entry, str) else entry
        if isinstance(entry, dict) and isinstance(entry.get("sha256"), str):
            place = (*above, "keys")
            yield Stored(file, place, index, team, entry, comment(text, place, index))


def _entry(digest: str, more: Mapping[str, Any], expires: datetime | None) -> Entry:
    said = {name: value for name, value in more.items() if (name, value) != ("scope", "use")}
    if expires is not None:
        said["expires"] = stamp(expires)
    return {"sha256": digest, **said} if said else digest


def _file_of(main: Path, team: str, create: bool) -> Path | None:
    """The team's own file; None for a team described in the main file, which is not edited."""
    files = {file.stem: file for file in _team_files(main)}
    content = _text(main)
    if team in files:
        return files[team]
    inline = declared(read_yaml(content.encode(), str(main)), "teams")
    if team in inline:
        return None
    if not TEAM_NAME.match(team):
        reason = "a team's name begins with a letter or digit, then letters, digits, dots, dashes, underscores"
        raise PolicyError([Fault(str(main), "", reason)])
    if create:
        return main.parent / TEAMS_FOLDER / f"{team}.yaml"
    hint = did_you_mean(team, [*files, *inline]) or "; --create makes its file"
    raise PolicyError([Fault(str(main), "", f"no team is called {team!r}{hint}")])


def _team_files(main: Path) -> list[Path]:
    try:
        return team_files(main)
    except OSError as fault:
        raise PolicyError([Fault(str(main), "", f"cannot be read: {fault.strerror}")]) from None


def _text(file: Path) -> str:
    """Empty where there is no file in a folder of teams yet. Raises PolicyError."""
    try:
        if file.parent.name == TEAMS_FOLDER and not file.exists():
            return ""
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        raise PolicyError([Fault(str(file), "", "is not UTF-8 text")]) from None
    except OSError as fault:
        raise PolicyError([Fault(str(file), "", f"cannot be read: {fault.strerror}")]) from None


def _write(file: Path, text: str | None) -> None:
    """None leaves it as it is. Raises PolicyError."""
    if text is None:
        return
    try:
        file.parent.mkdir(exist_ok=True)
        write_atomically(file, text)
    except OSError as fault:
        raise PolicyError([Fault(str(file), "", f"cannot be changed: {fault.strerror}")]) from None


def write_atomically(path: Path, text: str) -> None:
    """Replace a file in one step, its permissions kept; a reader sees the old or the new one. Raises OSError."""
    path = path.resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
