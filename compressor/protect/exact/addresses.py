"""URLs, paths of files and e-mail addresses.

Each is found from its rarest character ("://", "@", "/", a dot before a known ending) and grown to both sides,
never back beyond the previous find: that keeps prose fast and hostile input linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, matches

_LATIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_SCHEME = _LATIN | frozenset("+.-")
_HOST = _LATIN | frozenset(".-")
_MAILBOX = _LATIN | frozenset("._%+-")
_IN_PATH = _LATIN | frozenset("_.~@%+-")

_DOMAINS = "com|org|net|io|dev|ai|gov|edu|app|info|co|uk|de|fr|eu|cn|jp|ru"
_URL_MARK = re.compile(rf":(?://|(?<=mailto:))(?=[^\s/])|\.(?:{_DOMAINS})(?![\w@-])|w(?<!\w.)ww\.(?=\w)")
_URL_REST = re.compile(r"[^\s<>\"'`{}|\\^，。；：！？、（）「」『』“”]*+")
_HOST_REST = re.compile(r"[A-Za-z0-9.-]*+(?::\d{1,5})?(?:[/?#][^\s<>\"'`{}|\\^，。；：！？、（）「」『』“”]*+)?")
_TRAILING = ".,;:!?'\"*_"
_OPENERS = {")": "(", "]": "["}

_MAIL_REST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*+)")

_SLASH = re.compile(r"/")
_PATH_REST = re.compile(r"[\w./~@%+=:-]*+")
_WINDOWS = re.compile(
    r":(?<=[A-Za-z].)(?<![A-Za-z0-9]..)"  # the drive letter stands before the match
    r"(?:\\(?:[^\\/:*?\"<>|\s]++(?: [^\\/:*?\"<>|\s]++){0,3}\\)*+|/(?!/))[^\\:*?\"<>|\s]*+"
    r"|\\\\\w[^/:*?\"<>|\s]*+"
)
_EXTENSIONS = (
    "py|js|ts|tsx|jsx|java|kt|go|rs|rb|php|cs|cpp|cc|hpp|h|c|sh|bat|ps1|sql|html|htm|css|scss|xml|json|jsonl|yaml|yml|toml|"
    "ini|cfg|conf|env|lock|log|txt|md|rst|csv|tsv|parquet|pdf|docx?|xlsx?|pptx?|png|jpe?g|gif|svg|webp|mp[34]|wav|zip|tar|gz|"
    "tgz|whl|jar|exe|dll|so|onnx|gguf|safetensors|ipynb|proto|tf|db|sqlite|pem|crt|key|bak|tmp"
)
_FILE_NAME = re.compile(rf"\.(?:{_EXTENSIONS})(?:\.(?:gz|bak|tmp|zip|lock))?(?::\d++){{0,2}}(?![\w-]|\.\w)")
_COMPONENT_MARK = re.compile(r"[._]|\w\d|\d\w")


def url(text: str) -> Iterator[Span]:
    """scheme://..., mailto:, www. and bare hosts under a common top-level domain with their path."""
    if "." not in text and ":" not in text:
        return
    floor = 0
    for match in matches(_URL_MARK, text):
        if match.start() < floor:
            continue
        scheme = text[match.start()] == ":"
        start = _grow_left(text, match.start(), floor, _SCHEME if scheme else _HOST)
        if start == match.start() and text[start] in ":.":
            continue
        if not scheme and start and text[start - 1] in "@/\\_":
            continue
        rest = (_URL_REST if scheme else _HOST_REST).match(text, match.end())
        end = _without_trailing(text, start, rest.end() if rest else match.end())
        floor = max(end, match.end())
        yield start, end


def email(text: str) -> Iterator[Span]:
    """name@host.tld"""
    floor = 0
    at = text.find("@")
    while at >= 0:
        start = _grow_left(text, at, floor, _MAILBOX)
        rest = _MAIL_REST.match(text, at + 1)
        if rest is None:
            floor = at + 1
        else:
            end = _without_trailing(text, start, rest.end())
            if start < at and "." in text[at + 1 : end]:
                yield start, end
            floor = rest.end()
        at = text.find("@", floor)


def path(text: str) -> Iterator[Span]:
    """Unix and Windows paths, and file names with a common extension.

    "and/or", "km/h" and dates are not paths: a relative path needs an extension, an underscore, a digit beside
    a letter, or to begin with "./", "../" or "~/".
    """
    if "/" in text:
        yield from _unix(text)
    if "\\" in text or ":/" in text:
        for match in matches(_WINDOWS, text):
            start = match.start() - (text[match.start()] == ":")
            yield start, _without_trailing(text, start, match.end())
    floor = 0
    for match in matches(_FILE_NAME, text):
        start = _grow_left(text, match.start(), floor, _IN_PATH)
        floor = match.end()
        if start < match.start():
            yield start, match.end()


def _unix(text: str) -> Iterator[Span]:
    floor = 0
    for slash in matches(_SLASH, text):
        if slash.start() < floor:
            continue
        start = _grow_left(text, slash.start(), floor, _IN_PATH)
        rest = _PATH_REST.match(text, slash.start())
        floor = rest.end() if rest else slash.end()
        end = _without_trailing(text, start, floor)
        if text.startswith("//", slash.start()) or (start and text[start - 1] in ":<"):
            continue
        if _is_path(text[start:end]):
            yield start, end


def _is_path(candidate: str) -> bool:
    head, *rest = candidate.split("/")
    names = [name for name in rest if name]
    if not any(character.isalpha() for character in candidate):
        return False
    if head in ("", ".", "..", "~"):
        return bool(names)
    return any(_COMPONENT_MARK.search(name) for name in (head, *names)) and not candidate[0].isdigit()


def _grow_left(text: str, position: int, floor: int, allowed: frozenset[str]) -> int:
    while position > floor and text[position - 1] in allowed:
        position -= 1
    return position


def _without_trailing(text: str, start: int, end: int) -> int:
    """Leave the punctuation of the sentence outside, and a closing bracket that was not opened inside."""
    while end > start:
        last = text[end - 1]
        opener = _OPENERS.get(last)
        unopened = opener and text.count(opener, start, end) < text.count(last, start, end)
        if last not in _TRAILING and not unopened:
            break
        end -= 1
    return end
