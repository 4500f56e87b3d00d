"""YAML bytes to plain data with the line of every key.

Core schema of YAML 1.2, so `off`, `no` and 12:30:00 are text. Duplicate keys are faults.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml

from moosproxy.policies.faults import Fault, KeyPath, show_path

MAX_NODES = 100_000
"""Aliases count as often as they are used, so a small file cannot grow without bound."""

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"


class CoreLoader(yaml.SafeLoader):
    """Resolves plain text as YAML 1.2 does. For composing nodes only."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (the library's name)


for _name, _pattern, _first in (
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
):
    for _character in [*_first, *([""] if _name == "null" else [])]:
        CoreLoader.yaml_implicit_resolvers.setdefault(_character, []).append(
            (_TAG + _name, re.compile(f"(?:{_pattern})\\Z"))
        )


@dataclass(slots=True)
class Document:
    """One file: its data, the line of each key, the faults found so far.

    replaced: the paths whose values came from the environment. No reason may quote those.
    """

    file: str
    data: Any = field(default=None, repr=False)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    replaced: set[KeyPath] = field(default_factory=set)

    def add(self, path: KeyPath, reason: str) -> None:
        """Note a fault at a key path."""
        self.faults.append(self.fault(path, reason))

    def fault(self, path: KeyPath, reason: str) -> Fault:
        """A fault with the line of the path, or of the nearest key above it."""
        line = next((self.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.lines), None)
        return Fault(self.file, show_path(path), reason, line)

    def is_faulty(self, path: KeyPath) -> bool:
        """Whether a fault is known at the path or in what lies under it."""
        shown = show_path(path)
        return any(
            fault.path == shown or fault.path.startswith((f"{shown}.", f"{shown}[")) for fault in self.faults
        )

    def is_replaced(self, path: KeyPath) -> bool:
        """Whether the value at the path, or anything in it, came from the environment."""
        return any(path[: len(place)] == place or place[: len(path)] == path for place in self.replaced)


def read_yaml(content: bytes, file: str) -> Document:
    """Never raises: what is wrong is in the document's faults, and data is then what could be read."""
    document = Document(file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        document.faults.append(Fault(file, "", "is not UTF-8 text", line))
        return document
    try:
        node = yaml.compose(text, CoreLoader)
        document.data = None if node is None else _Builder(document).build(node, ())
        if document.data is None and not document.faults:
            document.add((), "is empty")
    except yaml.YAMLError as fault:
        document.faults.append(_syntax_fault(fault, file, text))
    except RecursionError:
        document.add((), "is nested too deeply")
    return document


def _syntax_fault(fault: yaml.YAMLError, file: str, text: str) -> Fault:
    line, problem = None, "is not YAML"
    if isinstance(fault, yaml.reader.ReaderError):
        line, problem = text.count("\n", 0, fault.position) + 1, "holds a control character"
    elif isinstance(fault, yaml.MarkedYAMLError):
        mark = fault.problem_mark or fault.context_mark
        line = mark.line + 1 if mark else None
        # A secret that begins with * or ! is read as an alias or a tag, and would be quoted here.
        words = re.sub(r"'[^'<][^']{3,}'", "'...'", fault.problem or "syntax error")
        problem = f"is not YAML: {words}"
    return Fault(file, "", problem, line)


@dataclass(slots=True)
class _Builder:
    """Nodes to data. Written out because the library's constructor drops duplicate keys and all positions."""

    document: Document
    nodes: int = 0
    ancestors: set[int] = field(default_factory=set)

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise yaml.MarkedYAMLError(problem="too many values", problem_mark=node.start_mark)
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self.ancestors:
            self.document.add(path, "is an alias of something that it is part of")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self.ancestors.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
                return self._mapping(node, path)
        finally:
            self.ancestors.discard(id(node))
        self.document.add(path, "has a tag (!...) that is not supported")
        return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                self._merge(merged, value_node, path)
                continue
            if key_node.tag != _TAG + "str" or not isinstance(key_node, yaml.ScalarNode):
                reason, line = "has a key that is not text: put it in quotes", key_node.start_mark.line + 1
                self.document.faults.append(Fault(self.document.file, show_path(path), reason, line))
                continue
            key = key_node.value
            self.document.lines[(*path, key)] = key_node.start_mark.line + 1
            if key in own:
                self.document.add((*path, key), "is there twice")
            own[key] = self.build(value_node, (*path, key))
        return merged | own

    def _merge(self, merged: dict[str, Any], node: yaml.Node, path: KeyPath) -> None:
        """The merge key: earlier sources win over later ones, the mapping's own keys over all."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                self.document.add(path, "merges (<<) something that is not a mapping")
                continue
            for key, value in self.build(source, path).items():
                merged.setdefault(key, value)

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Hashable:
        kind, text = node.tag.removeprefix(_TAG), node.value
        try:
            match kind:
                case "str" | "merge":
                    return str(text)
                case "null":
                    return None
                case "bool":
                    return str(text).lower() == "true"
                case "int":
                    return int(text, 16 if text.startswith("0x") else 10)
                case "float":
                    return float(re.sub(r"\.(inf|nan)", r"\1", text.lower()))
        except ValueError:
            self.document.add(path, "is not a number that can be read")
            return None
        self.document.add(path, "has a tag (!...) that is not supported")
        return None
