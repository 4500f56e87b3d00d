"""Writing a key's hash into a team's file without touching anything else in it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from moosproxy.policies.faults import Fault, PolicyError, did_you_mean
from moosproxy.policies.files.reading import CoreLoader, read_yaml
from moosproxy.policies.files.references import TEAM_NAME, declared
from moosproxy.policies.files.sources import TEAMS_FOLDER, main_file, team_files
from moosproxy.policies.keys import hash_key, new_key


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, and where its hash is, or where it must go by hand if not written."""

    key: str = field(repr=False)
    digest: str
    file: str
    written: bool


def store_key(path: str | os.PathLike[str], team: str, note: str = "", create: bool = False) -> NewKey:
    """Make a key for a team and store its SHA-256. Raises PolicyError, and has then changed nothing."""
    main = main_file(path)
    file = _file_of(main, team, create)
    key = new_key()
    digest = hash_key(key)
    if file is None:
        return NewKey(key, digest, str(main), False)
    try:
        text = file.read_bytes().decode() if file.exists() else ""
        changed = add_hash(text, digest, note)
        if changed is not None:
            file.parent.mkdir(exist_ok=True)
            write_atomically(file, changed)
    except UnicodeDecodeError:
        raise PolicyError([Fault(str(file), "", "is not UTF-8 text")]) from None
    except OSError as fault:
        raise PolicyError([Fault(str(file), "", f"cannot be changed: {fault.strerror}")]) from None
    return NewKey(key, digest, str(file), changed is not None)


def _file_of(main: Path, team: str, create: bool) -> Path | None:
    """The team's own file; None for a team described in the main file, which is not edited."""
    try:
        files = {file.stem: file for file in team_files(main)}
        content = main.read_bytes()
    except OSError as fault:
        raise PolicyError([Fault(str(main), "", f"cannot be read: {fault.strerror}")]) from None
    if team in files:
        return files[team]
    document = read_yaml(content, str(main))
    inline = declared(document, "teams")
    if team in inline:
        return None
    if not TEAM_NAME.match(team):
        reason = "a team's name begins with a letter or digit, then letters, digits, dots, dashes, underscores"
        raise PolicyError([Fault(str(main), "", reason)])
    if create:
        return main.parent / TEAMS_FOLDER / f"{team}.yaml"
    hint = did_you_mean(team, [*files, *inline]) or "; --create makes its file"
    raise PolicyError([Fault(str(main), "", f"no team is called {team!r}{hint}")])


def add_hash(text: str, digest: str, note: str = "") -> str | None:
    """The text of a team file with one more key hash, comments kept. None where that cannot be done safely.

    The result is read again: its data must be those of the original with the hash at the end of `keys`.
    """
    before = read_yaml(text.encode(), "")
    if text.strip() and (before.faults and before.data is not None):
        return None
    data = before.data if before.data is not None else {}
    keys = data.get("keys") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not (keys is None or isinstance(keys, list)):
        return None
    candidate = _insert(text, digest, f"  # {' '.join(note.split())}" if note.strip() else "")
    if candidate is None:
        return None
    after = read_yaml(candidate.encode(), "")
    expected = {**data, "keys": [*(keys or []), digest]}
    return candidate if not after.faults and after.data == expected else None


def _insert(text: str, digest: str, comment: str) -> str | None:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    entry = f'- "{digest}"{comment}{newline}'
    try:
        root = yaml.compose(text, CoreLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    if root is None:
        return "".join([*lines, f"keys:{newline}", f"  {entry}"])
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    for key, value in root.value:
        if key.value != "keys":
            continue
        if isinstance(value, yaml.SequenceNode) and not value.flow_style and value.value:
            # start_mark of a block sequence is its first dash, and items on one line end on that line.
            column, after = value.start_mark.column, value.value[-1].end_mark.line + 1
        elif isinstance(value, yaml.ScalarNode) and value.value == "":
            column, after = key.start_mark.column + 2, key.start_mark.line + 1
        else:
            return None
        lines.insert(after, " " * column + entry)
        return "".join(lines)
    indent = " " * root.start_mark.column
    return "".join([*lines, f"{indent}keys:{newline}", f"{indent}  {entry}"])


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
