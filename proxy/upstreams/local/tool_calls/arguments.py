"""The arguments of one call, read as they come: JSON, JSON within a string, or Qwen's XML."""

from __future__ import annotations

import json
from typing import Any, Protocol

from moosproxy.proxy.upstreams.local.tool_calls.forms import PARAMETER, STRING, VALUE_ENDS

_END = "</function>"
_NO_TEXT = frozenset({"integer", "number", "boolean", "object", "array", "null"})
_WORDS = {"True": True, "False": False, "None": None}


class Arguments(Protocol):
    """Reads text up to the arguments' end."""

    def feed(self, text: str) -> tuple[str, str, bool]:
        """The JSON that has become certain, the text that is not read yet, and whether the arguments are whole."""

    def finish(self, text: str) -> tuple[str, bool]:
        """The same for the text that was not read, where nothing follows it."""


class JsonArguments:
    """An object, passed on letter by letter."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, text: str) -> tuple[str, str, bool]:
        """A line break in a string, which JSON forbids and models write, is escaped."""
        out = []
        for index, letter in enumerate(text):
            out.append(self._shown(letter))
            if not self._depth:
                return "".join(out), text[index + 1 :], True
        return "".join(out), "", False

    def finish(self, text: str) -> tuple[str, bool]:
        """Cut off."""
        return text, False

    def _shown(self, letter: str) -> str:
        if self._escaped:
            self._escaped = False
        elif self._in_string:
            self._escaped = letter == "\\"
            self._in_string = letter != '"'
            return json.dumps(letter)[1:-1] if letter < " " else letter
        elif letter == '"':
            self._in_string = True
        else:
            self._depth += (letter in "{[") - (letter in "}]")
        return letter


class QuotedArguments:
    """An object written as a string, or null: taken once it is whole."""

    def feed(self, text: str) -> tuple[str, str, bool]:
        """Nothing but the whole."""
        if text.startswith("n"):
            return ("{}", text[4:], True) if len(text) >= 4 else ("", text, False)
        found = STRING.match(text)
        return (_unquoted(found[0]), text[found.end() :], True) if found else ("", text, False)

    def finish(self, text: str) -> tuple[str, bool]:
        """What there is of a string that was cut off."""
        return ("{}", True) if text.startswith("n") else (text[1:], False)


class NoArguments:
    """Of a call that has none."""

    def feed(self, text: str) -> tuple[str, str, bool]:
        """An empty object."""
        return "{}", text, True

    def finish(self, text: str) -> tuple[str, bool]:
        """The same."""
        return "{}", True


class XmlArguments:
    """`<parameter=name>` and its value, up to `</function>`; where JSON stands there instead, the JSON.

    properties: the schemas of the parameters. Texts are passed on as they come, other values once they are whole.
    """

    def __init__(self, properties: dict[str, Any]) -> None:
        self._properties = properties
        self._json: JsonArguments | None = None
        self._inside: str | None = None
        self._begun = 0

    def feed(self, text: str) -> tuple[str, str, bool]:
        """See Arguments."""
        out = ""
        while True:
            if self._json is not None:
                shown, rest, whole = self._json.feed(text)
                return out + shown, rest, whole
            shown, rest, whole = self._value(text) if self._inside is not None else self._between(text)
            out += shown
            if whole or rest == text:
                return out, rest, whole
            text = rest

    def finish(self, text: str) -> tuple[str, bool]:
        """What a value that was cut off holds so far; without one, the closing brace."""
        if self._json is not None:
            return text, False
        if self._inside is None:
            return ("}" if self._begun else "{}"), True
        return (self._escaped(text) if self._is_text else ""), False

    def _between(self, text: str) -> tuple[str, str, bool]:
        if text.startswith("{") and not self._begun:
            self._json = JsonArguments()
            return self.feed(text)
        if found := PARAMETER.match(text, partial=True):
            if found.partial or found.end() == len(text):
                return "", text, False  # a line break may follow
            return self._named(found["name"]), text[found.end() :], False
        closed = text.lstrip()
        if _END.startswith(closed) and closed != _END:
            return "", text, False
        return ("}" if self._begun else "{}"), closed.removeprefix(_END), True

    def _named(self, name: str) -> str:
        self._inside = name
        before = ", " if self._begun else "{"
        self._begun += 1
        return f"{before}{json.dumps(name, ensure_ascii=False)}: " + ('"' if self._is_text else "")

    def _value(self, text: str) -> tuple[str, str, bool]:
        found = VALUE_ENDS.search(text, partial=True)
        if found is None or found.partial:
            held = found.start() if found else len(text)
            return (self._escaped(text[:held]), text[held:], False) if self._is_text else ("", text, False)
        value, rest = text[: found.start()], text[found.end() :]
        shown = self._escaped(value) + '"' if self._is_text else _parsed(value)
        self._inside = None
        return shown, rest, False

    @property
    def _is_text(self) -> bool:
        schema = self._properties.get(self._inside or "")
        kind = schema.get("type") if isinstance(schema, dict) else None
        kinds = kind if isinstance(kind, list) else [kind]
        return not any(isinstance(one, str) and one in _NO_TEXT for one in kinds)

    def _escaped(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=False)[1:-1]


def _parsed(value: str) -> str:
    """The value as JSON; text that is none becomes a string."""
    value = value.strip()
    if value in _WORDS:
        return json.dumps(_WORDS[value])
    try:
        return json.dumps(json.loads(value), ensure_ascii=False)
    except (ValueError, RecursionError):
        return json.dumps(value, ensure_ascii=False)


def _unquoted(text: str) -> str:
    """What the string holds."""
    try:
        held = json.loads(text, strict=False)
    except ValueError:
        return text[1:-1]
    return str(held)
