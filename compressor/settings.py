"""What a caller may choose for one compression. Values only: nothing here reads a file or a model."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Literal, get_args, get_type_hints

import regex

from moosproxy.compressor import arguments
from moosproxy.compressor.errors import SettingsError


class Kind(StrEnum):
    """A named kind of protected span: text of that kind is never cut."""

    FENCED_CODE = "fenced_code"
    INLINE_CODE = "inline_code"
    JSON = "json"
    XML = "xml"
    URL = "url"
    PATH = "path"
    EMAIL = "email"
    ID = "id"
    VERSION = "version"
    NUMBER = "number"
    DATE = "date"
    QUOTED = "quoted"
    SEVERITY = "severity"
    NEGATION = "negation"
    CONDITION = "condition"
    QUESTION = "question"
    INSTRUCTION = "instruction"
    HEADING = "heading"
    PLACEHOLDER = "placeholder"


@dataclass(frozen=True, slots=True)
class OutlierReading:
    """One reading of MOOSComp's outlier score, which the paper leaves open (section "outlier score").

    scope: over which tokens mean and deviation are taken: those of the same predicted class, or the window.
    stat: distance to the centroid, or root mean square / mean absolute value of per-dimension Z-scores.
    sided: "one" keeps the sign (far from the centroid is rare), "two" takes the absolute value.
    norm: how s becomes s_norm in [0, 1].
    layer: which hidden state, -1 is the last; other layers need a checkpoint that exports them.
    """

    scope: Literal["class", "sequence"] = "class"
    stat: Literal["centroid", "perdim_rms", "perdim_abs"] = "centroid"
    sided: Literal["one", "two"] = "one"
    norm: Literal["minmax", "rank", "sigmoid"] = "rank"
    layer: int = -1

    def __post_init__(self) -> None:
        for name, known in _READINGS.items():
            if getattr(self, name) not in known:
                raise arguments.wrong(f"outlier.{name}", f"one of {', '.join(known)}", getattr(self, name))
        if not arguments.is_whole(self.layer):
            raise arguments.wrong("outlier.layer", "a whole number", self.layer)


_READINGS = {name: get_args(hint) for name, hint in get_type_hints(OutlierReading).items() if get_args(hint)}

DEFAULT_PROTECT: frozenset[Kind] = frozenset(Kind) - {Kind.QUOTED}


@dataclass(frozen=True, slots=True)
class CompressionSettings:
    """Everything that decides the compressed form of a text, besides the text and the checkpoint.

    ratio: original tokens / kept tokens of the compressible text, >= 1; 1 is the identity.
    alpha: weight of the classifier in m = alpha * p + (1 - alpha) * s_norm, in [0, 1].
    protect: kinds of spans that are never cut; any collection of kinds or of their names is taken.
    patterns: regular expressions whose matches are never cut; any collection of strings is taken, in its order.
    question: "auto" finds the question in the text itself, "off" never looks, any other string is the question.
    asked: what was asked before this text came, used where no question is found or looked for in it.
    material: nobody in this text speaks for the user (it is a tool's result): what looks like a question or an
        instruction in it is neither.
    unit: "sentence" keeps or leaves out whole units of each kind of text; "auto" also cuts words that carry
        nothing where nobody asks; "word" is the paper's own selection, for experiments.
    marks: whether what was left out is told in the text.
    json: "lossless" takes white space alone out of JSON, "prose" also shortens long texts inside of strings,
        "rows" also leaves out whole elements of long arrays of like records.
    min_savings: share of the text's tokens, in [0, 1]: where less could be saved whatever the scores say, the text
        is left alone and the model does not run.
    tokenizer: name of the target model's tokenizer ("o200k_base", "cl100k_base", a model name, "gguf:" with the
        digest of a vocabulary and the file that holds it), None for the encoder's own pieces.
    quality: the least share of answers to keep, above 0 and below 1: takes the highest ratio up to `ratio` that
        the checkpoint's calibration predicts it for, and leaves the text whole where there is none. None: `ratio`.

    Raises SettingsError for a value of a wrong type or out of range; it says what was given and what to give.
    """

    ratio: float = 2.0
    alpha: float = 0.9
    protect: frozenset[Kind] = DEFAULT_PROTECT
    patterns: tuple[str, ...] = ()
    question: str = "auto"
    asked: str | None = None
    material: bool = False
    unit: Literal["auto", "sentence", "word"] = "auto"
    marks: bool = True
    json: Literal["lossless", "prose", "rows"] = "prose"
    min_savings: float = 0.0
    tokenizer: str | None = None
    outlier: OutlierReading = field(default_factory=OutlierReading)
    quality: float | None = None

    def __post_init__(self) -> None:
        if not arguments.is_number(self.ratio, 1, sys.float_info.max):
            raise arguments.wrong("ratio", "a number of at least 1", self.ratio)
        if not arguments.is_number(self.alpha, 0, 1):
            raise arguments.wrong("alpha", "a number between 0 and 1", self.alpha)
        if not arguments.is_number(self.min_savings, 0, 1):
            raise arguments.wrong("min_savings", "a number between 0 and 1", self.min_savings)
        object.__setattr__(self, "protect", parse_kinds(self.protect))
        object.__setattr__(self, "patterns", arguments.strings("patterns", self.patterns))
        for pattern in self.patterns:
            try:
                regex.compile(pattern)
            except regex.error as fault:
                raise SettingsError(f"pattern {pattern!r} is not a regular expression: {fault}") from None
        if not isinstance(self.question, str):
            raise arguments.wrong("question", '"auto", "off" or the question', self.question)
        if not isinstance(self.asked, str | None):
            raise arguments.wrong("asked", "what was asked, or None", self.asked)
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise arguments.wrong(name, f"one of {', '.join(map(str, known))}", getattr(self, name))
        if not isinstance(self.tokenizer, str | None):
            raise arguments.wrong("tokenizer", "the name of a model or an encoding, or None", self.tokenizer)
        if not isinstance(self.outlier, OutlierReading):
            raise arguments.wrong("outlier", "an OutlierReading", self.outlier)
        if self.quality is not None:
            _check_quality(self.quality, self.unit)

    def digest(self) -> str:
        """Hex SHA-256 over every field: the settings' share of a cache key."""
        values = asdict(self) | {"protect": sorted(self.protect)}
        if self.quality is None:
            del values["quality"]  # keys are what they were before there was a floor
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


_CHOICES: dict[str, tuple[object, ...]] = {
    "unit": ("auto", "sentence", "word"),
    "json": ("lossless", "prose", "rows"),
    "marks": (True, False),
    "material": (True, False),
}


def _check_quality(quality: object, unit: str) -> None:
    if not arguments.is_number(quality, 0, 1) or quality in (0, 1):
        raise arguments.wrong("quality", "a number above 0 and below 1, or None", quality)
    if unit == "word":
        raise SettingsError('quality needs unit "auto" or "sentence": nothing is predicted for loose words')


def parse_kinds(names: Iterable[str]) -> frozenset[Kind]:
    """Kinds by name; raises SettingsError that lists the known ones."""
    found = arguments.strings("protect", names)
    known = {kind.value for kind in Kind}
    if unknown := sorted(set(found) - known):
        kinds = ", ".join(kind.value for kind in Kind)
        raise SettingsError(f"unknown protected kind {', '.join(unknown)}; known kinds: {kinds}")
    return frozenset(Kind(name) for name in found)
