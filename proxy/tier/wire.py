"""What proxy and tier say to each other: a small head in JSON, and raw bytes behind it. Version 1.

A request is settings and a text, an answer is the result without any text: offsets, marks and counts. The answer
is sealed with the request, so that one that belongs elsewhere, or was damaged, is no answer.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from moosproxy.compressor import CompressionResult, CompressionSettings, KeptSpans, OutlierReading, SettingsError
from moosproxy.compressor.heat_map import WordScore
from moosproxy.compressor.result import Floor
from moosproxy.proxy.bodies import any_json

PROTOCOL = 1
QUEUED_HEADER = "x-moos-queued-tokens"
"""What a replica holds for everybody, on each result and where it is full. Its handshake says it, too."""
PROTOCOL_HEADER = "x-moos-tier"
"""On every answer of a tier: the version it speaks. What comes without it comes from something in between."""
HELLO_PATH, COMPRESS_PATH = "/v1/tier", "/v1/tier/compress"
BINARY = "application/x-moos-tier"

_HEAD_BYTES = 4
_SEAL_BYTES = 16
_PLAIN = CompressionSettings()
_PLAINLY = ("tokens_before", "tokens_after", "asked_ratio", "target_ratio", "tokenizer", "eased", "fingerprint")


@dataclass(frozen=True, slots=True)
class Ask:
    """One text for the tier.

    of: the print that has to do it. deadline: of this machine's time.monotonic(). words: with the scores of all.
    """

    text: str
    settings: CompressionSettings
    of: str
    team: str | None
    deadline: float
    words: bool = False


def print_of(fingerprint: str, calibration: str | None) -> str:
    """One name for what decides a result beside text and settings. calibration: its digest, None without one."""
    return f"{fingerprint}-{calibration}" if calibration else fingerprint


def ask_bytes(ask: Ask) -> bytes:
    """A request's body."""
    head = {
        "of": ask.of,
        "team": ask.team,
        "left_ms": max(0, round((ask.deadline - time.monotonic()) * 1000)),
        "words": ask.words,
        "settings": _settings_out(ask.settings),
        "digest": ask.settings.digest(),
    }
    return _framed(head, ask.text.encode("utf-8", "surrogatepass"))


def read_ask(body: bytes) -> Ask:
    """Inverse of ask_bytes. Raises ValueError; SettingsError where the other side reads settings otherwise."""
    head, text = _unframed(body)
    settings = _settings_in(_of(head, "settings", dict))
    if settings.digest() != _of(head, "digest", str):
        raise SettingsError("the proxy's code reads these settings otherwise than the tier's: run one version")
    team = head.get("team")
    if not isinstance(team, str | None):
        raise ValueError("team: neither a name nor null")
    deadline = time.monotonic() + _of(head, "left_ms", int) / 1000
    plain = text.decode("utf-8", "surrogatepass")
    return Ask(plain, settings, _of(head, "of", str), team, deadline, _of(head, "words", bool))


def result_bytes(request: bytes, result: CompressionResult) -> bytes:
    """An answer's body for a request's."""
    head = {name: getattr(result, name) for name in _PLAINLY}
    head |= {
        "protected": dict(result.protected),
        "restored": dict(result.restored),
        "kinds": dict(result.kinds),
        "alone": result.alone,
        "every_word": result.every_word,
        "question": result.question,
        "timings": dict(result.timings),
        "floor": asdict(result.floor) if result.floor else None,
        "words": None if result.words is None else [_word_out(word) for word in result.words],
    }
    frame = _framed(head, result.kept.to_bytes())
    return frame + _seal(request, frame)


def read_result(request: bytes, text: str, body: bytes) -> CompressionResult:
    """Inverse of result_bytes, for the text of the request. Raises ValueError on whatever cannot be its answer."""
    frame, seal = body[:-_SEAL_BYTES], body[-_SEAL_BYTES:]
    if seal != _seal(request, frame):
        raise ValueError("the answer is damaged, or another request's")
    head, spans = _unframed(frame)
    kept = KeptSpans.from_bytes(spans)
    if kept.spans and kept.spans[-1][1] > len(text):
        raise ValueError("spans beyond the end of the text")
    words, floor = head.get("words"), head.get("floor")
    try:
        return CompressionResult(
            text=kept.apply(text),
            kept=kept,
            tokens_before=_of(head, "tokens_before", int),
            tokens_after=_of(head, "tokens_after", int),
            asked_ratio=float(_of(head, "asked_ratio", int | float)),
            target_ratio=float(_of(head, "target_ratio", int | float)),
            tokenizer=_of(head, "tokenizer", str),
            eased=_of(head, "eased", bool),
            fingerprint=_of(head, "fingerprint", str),
            protected=_of(head, "protected", dict),
            restored=_of(head, "restored", dict),
            kinds={name: _pair(sizes) for name, sizes in _of(head, "kinds", dict).items()},
            alone=_of(head, "alone", bool),
            every_word=_of(head, "every_word", bool),
            question=_pair(head["question"]) if head.get("question") else None,
            timings=_of(head, "timings", dict),
            words=None if words is None else [WordScore(*word) for word in words],
            original=None if words is None else text,
            floor=Floor(**floor) if floor else None,
        )
    except TypeError as fault:
        raise ValueError(f"fields of another form: {fault}") from None


def _settings_out(settings: CompressionSettings) -> dict[str, Any]:
    """What differs from the defaults; the digest beside it tells of sides whose defaults differ."""
    out: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value == getattr(_PLAIN, field.name):
            continue
        if field.name == "protect":
            value = sorted(value)
        elif field.name == "outlier":
            value = asdict(value)
        out[field.name] = value
    return out


def _settings_in(given: Mapping[str, Any]) -> CompressionSettings:
    values = dict(given)
    try:
        if "outlier" in values:
            values["outlier"] = OutlierReading(**values["outlier"])
        return CompressionSettings(**values)
    except TypeError:
        raise SettingsError("the tier does not know one of these settings: run one version") from None


def _word_out(word: WordScore) -> tuple[int, int, float, bool, bool]:
    return word.start, word.end, float(word.score), bool(word.kept), bool(word.protected)


def _framed(head: Mapping[str, Any], payload: bytes) -> bytes:
    written = any_json.dumps(head)
    return len(written).to_bytes(_HEAD_BYTES, "big") + written + payload


def _unframed(frame: bytes) -> tuple[dict[str, Any], bytes]:
    end = _HEAD_BYTES + int.from_bytes(frame[:_HEAD_BYTES], "big")
    if len(frame) < end or end <= _HEAD_BYTES:
        raise ValueError("the head is cut off")
    try:
        head = any_json.loads(frame[_HEAD_BYTES:end])
    except RecursionError:
        raise ValueError("the head is nested too deeply") from None
    if not isinstance(head, dict):
        raise ValueError("the head is no object")
    return head, frame[end:]


def _seal(request: bytes, frame: bytes) -> bytes:
    key = hashlib.blake2b(request).digest()
    return hashlib.blake2b(frame, key=key, digest_size=_SEAL_BYTES).digest()


def _of(head: Mapping[str, Any], name: str, kind: Any) -> Any:
    value = head.get(name)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{name}: missing, or of another type")
    return value


def _pair(value: Sequence[int]) -> tuple[int, int]:
    first, second = value
    if type(first) is not int or type(second) is not int:
        raise ValueError("a pair of something else than whole numbers")
    return first, second
