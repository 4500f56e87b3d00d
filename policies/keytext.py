"""The text of a policy file with one key more, less or changed, comments kept. Pure.

Each result is read again: its data must be those of the original with that one change. None where it cannot be so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import yaml

from moosproxy.policies.files.reading import CoreLoader, read_yaml

Path = tuple[str, ...]
Entry = str | Mapping[str, Any]
"""A bare SHA-256, or what else is known beside it."""

_TOP: Path = ("keys",)


def add_entry(text: str, entry: Entry, note: str = "", place: Path = _TOP) -> str | None:
    """One more at the end of the list at the place, which is made if it is missing at the top.

    note: becomes a comment beside it.
    """
    before = read_yaml(text.encode(), "")
    if text.strip() and (before.faults and before.data is not None):
        return None
    data = before.data if before.data is not None else {}
    if not isinstance(data, dict):
        return None
    said = f"  # {' '.join(note.split())}" if note.strip() else ""
    candidate = _inserted(text, f"- {written(entry)}{said}", place)
    expected = deepcopy(data)
    owner = _at(expected, place[:-1])
    keys = owner.get(place[-1]) if isinstance(owner, dict) else 0
    if candidate is None or not (keys is None or isinstance(keys, list)):
        return None
    owner[place[-1]] = [*(keys or []), _plain(entry)]
    return _if_right(candidate, expected)


def drop_entry(text: str, place: Path, index: int) -> str | None:
    """Without the entry at the index of the list, and without the comment on its line."""
    data = read_yaml(text.encode(), "").data
    node = _sequence(text, place)
    if node is None or node.flow_style:
        return None
    lines = text.splitlines(keepends=True)
    start, end = _lines_of(node.value[index], lines)
    del lines[start:end]
    if len(node.value) == 1:  # a list of none, else nothing would stand where a list must
        head = start - 1
        lines[head] = lines[head].replace(f"{place[-1]}:", f"{place[-1]}: []", 1)
    expected = deepcopy(data)
    del _at(expected, place)[index]
    return _if_right("".join(lines), expected)


def set_field(text: str, place: Path, index: int, name: str, value: str) -> str | None:
    """With a field of the entry at the index set, a bare hash made an entry; the comment beside it stays."""
    data = read_yaml(text.encode(), "").data
    node = _sequence(text, place)
    if node is None:
        return None
    item = node.value[index]
    old = _at(data, place)[index]
    changed = {**({"sha256": old} if isinstance(old, str) else old), name: value}
    if isinstance(item, yaml.MappingNode) and not item.flow_style:
        candidate = _with_line(text, item, name, value)
    else:
        candidate = text[: item.start_mark.index] + written(changed) + text[item.end_mark.index :]
    expected = deepcopy(data)
    _at(expected, place)[index] = changed
    return _if_right(candidate, expected) if candidate is not None else None


def comment(text: str, place: Path, index: int) -> str:
    """The comment on the last line of an entry, without its mark; empty where there is none."""
    node = _sequence(text, place)
    if node is None or index >= len(node.value):
        return ""
    item = node.value[index]
    if isinstance(item, yaml.MappingNode) and not item.flow_style:
        return ""
    rest = text[item.end_mark.index :].partition("\n")[0].strip()
    return rest.removeprefix("#").strip() if rest.startswith("#") else ""


def written(entry: Entry) -> str:
    """An entry on one line. JSON is YAML, too."""
    return json.dumps(_plain(entry), ensure_ascii=False)


def _plain(entry: Entry) -> Any:
    return entry if isinstance(entry, str) else dict(entry)


def _if_right(candidate: str, expected: Any) -> str | None:
    after = read_yaml(candidate.encode(), "")
    return candidate if not after.faults and after.data == expected else None


def _at(data: Any, place: Path) -> Any:
    for step in place:
        data = data.get(step) if isinstance(data, dict) else None
    return data


def _composed(text: str) -> yaml.Node | None:
    """Raises nothing: None for what is empty or no YAML."""
    try:
        return yaml.compose(text, CoreLoader)
    except (yaml.YAMLError, RecursionError):
        return None


def _pair(text: str, place: Path) -> tuple[yaml.Node, yaml.Node] | None:
    """Key and value at the place."""
    node: yaml.Node | None = _composed(text)
    pair = None
    for step in place:
        if not isinstance(node, yaml.MappingNode) or node.flow_style:
            return None
        pair = next((pair for pair in node.value if pair[0].value == step), None)
        if pair is None:
            return None
        node = pair[1]
    return pair


def _sequence(text: str, place: Path) -> yaml.SequenceNode | None:
    pair = _pair(text, place)
    return pair[1] if pair is not None and isinstance(pair[1], yaml.SequenceNode) else None


def _lines_of(item: yaml.Node, lines: list[str]) -> tuple[int, int]:
    """First line of an entry and the one behind its last: a block mapping's node reaches to what comes next."""
    start, end = item.start_mark.line, item.end_mark.line
    if isinstance(item, yaml.CollectionNode) and not item.flow_style:
        while end > start + 1 and lines[end - 1].strip().partition("#")[0] == "":
            end -= 1
        return start, end
    return start, end + 1


def _with_line(text: str, item: yaml.MappingNode, name: str, value: str) -> str | None:
    lines = text.splitlines(keepends=True)
    for key, old in item.value:
        if key.value == name:
            return text[: old.start_mark.index] + json.dumps(value) + text[old.end_mark.index :]
    first = item.value[-1][1]
    if not isinstance(first, yaml.ScalarNode):
        return None
    lines.insert(first.end_mark.line + 1, f"{' ' * item.start_mark.column}{name}: {json.dumps(value)}\n")
    return "".join(lines)


def _inserted(text: str, entry: str, place: Path) -> str | None:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    root = _composed(text)
    if root is None:
        return "".join([*lines, f"keys:{newline}", f"  {entry}{newline}"]) if not _broken(text) else None
    pair = _pair(text, place)
    if pair is not None:
        return _into(lines, pair, entry + newline)
    if not isinstance(root, yaml.MappingNode) or root.flow_style or place != _TOP:
        return None
    indent = " " * root.start_mark.column
    return "".join([*lines, f"{indent}keys:{newline}", f"{indent}  {entry}{newline}"])


def _broken(text: str) -> bool:
    return any(fault.reason != "is empty" for fault in read_yaml(text.encode(), "").faults)


def _into(lines: list[str], pair: tuple[yaml.Node, yaml.Node], entry: str) -> str | None:
    """The lines with the entry at the end of the list that this key has."""
    key, value = pair
    line, column = key.start_mark.line, key.start_mark.column + 2
    if isinstance(value, yaml.SequenceNode) and not value.flow_style and value.value:
        # start_mark of a block sequence is its first dash, and items on one line end on that line.
        column, line = value.start_mark.column, value.value[-1].end_mark.line
        if isinstance(value.value[-1], yaml.CollectionNode) and not value.value[-1].flow_style:
            line = _lines_of(value.value[-1], lines)[1] - 1
    elif isinstance(value, yaml.SequenceNode) and not value.value and value.end_mark.line == line:
        start, end = value.start_mark.column, value.end_mark.column
        lines[line] = lines[line][:start].rstrip(" ") + lines[line][end:]
    elif not (isinstance(value, yaml.ScalarNode) and value.value == ""):
        return None
    lines.insert(line + 1, " " * column + entry)
    return "".join(lines)
