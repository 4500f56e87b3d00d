"""What a soft compressor is: its method, its form and shape, and what it was trained for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, NamedTuple, get_args

from moosproxy.compressor.soft.errors import RatioNotTrained, SoftError

Method = Literal["sac", "icformer", "icae", "500x", "epl"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
Positions = Literal["appended", "spread", "moving"]
"""Where memory tokens stand: behind the context, at the anchors of SAC, or first so and then behind."""
Start = Literal["zero", "small", "normal", "pooled"]
"""How they begin: as zero, as N(0, 0.02), as N(0, 1), or as the mean embedding of the run that they stand for."""

Mask = Literal["open", "anchors", "causal"]
"""What sees the whole chunk in SAC's encoder: every token as published, anchors alone, or nothing."""
MASKS: Final[tuple[Mask, ...]] = get_args(Mask)


class Form(NamedTuple):
    """Where memory tokens stand and how they begin. SAC has none: its anchors are tokens of the context."""

    positions: Positions
    start: Start


PUBLISHED: Final[dict[Method, Form]] = {
    "icformer": Form("appended", "zero"),
    "icae": Form("appended", "normal"),
    "500x": Form("appended", "normal"),
    "epl": Form("spread", "normal"),
}
# The 500x-like method stays behind the context, which costs it some points: spread, it would be EPL.
BEST: Final[dict[Method, Form]] = {
    "icformer": Form("spread", "pooled"),
    "icae": Form("spread", "pooled"),
    "500x": Form("appended", "pooled"),
    "epl": Form("spread", "small"),
}
# What checkpoints are that say nothing of a form: they were trained before there was a choice.
_FORMER: Final[dict[Method, Form]] = {
    "icformer": Form("appended", "zero"),
    "icae": Form("appended", "small"),
    "500x": Form("appended", "small"),
    "epl": Form("spread", "small"),
}
_NO_FORM: Final = Form("spread", "small")


@dataclass(frozen=True, slots=True)
class SoftConfig:
    """One compressor. The defaults are the published ones; a small base model takes smaller ones.

    ratios: those it is trained for. chunk: tokens that are compressed together. rank, alpha: of LoRA. blocks:
    cross-attention blocks of IC-Former. anchor_table: a vector for each anchor of a chunk instead of one for all
    (SAC's code against its paper). mask: what sees ahead in SAC's encoder. positions, start: the form,
    that which was found best if not given. marker_beside: whether the marker takes the last token's place.
    """

    method: Method
    ratios: tuple[int, ...] = (5,)
    chunk: int = 510
    rank: int = 128
    alpha: int = 256
    blocks: int = 3
    anchor_table: bool = False
    mask: Mask = "open"
    positions: Positions | None = None
    start: Start | None = None
    marker_beside: bool = True

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise SoftError(f"no method {self.method!r}: choose one of {', '.join(METHODS)}")
        if not self.ratios or min(self.ratios) < 1 or self.chunk < 1:
            raise SoftError("a compressor needs at least one ratio of 1 or more and a chunk of at least one token")
        if self.method == "sac" and (self.positions or self.start):
            raise SoftError("sac has no memory tokens to place: its anchors are tokens of the context")
        if self.start == "zero" and self.method != "icformer":
            raise SoftError(
                "memory tokens that all begin as zero stay alike: start them as small, normal or pooled"
            )

    @property
    def form(self) -> Form:
        """As given, and where nothing was given as found best."""
        best = BEST.get(self.method, _NO_FORM)
        return Form(self.positions or best.positions, self.start or best.start)

    @property
    def name(self) -> str:
        """The method, and its form where that is not the default: what results are filed under."""
        if self.mask != "open":
            return f"{self.method} with a {self.mask} mask"
        if self.form == BEST.get(self.method, _NO_FORM):
            return self.method
        published = self.form == PUBLISHED.get(self.method)
        return f"{self.method} {'published form' if published else ', '.join(self.form)}"

    def check(self, ratio: int) -> None:
        """Raises RatioNotTrained."""
        if ratio not in self.ratios:
            known = ", ".join(str(each) for each in sorted(self.ratios))
            raise RatioNotTrained(f"this {self.method} checkpoint was trained for {known}, not for {ratio}")

    def to_json(self) -> dict[str, Any]:
        """As a file holds it, the form spelt out."""
        form = {} if self.method == "sac" else self.form._asdict()
        return {**asdict(self), "ratios": list(self.ratios), **form}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SoftConfig:
        """The inverse; raises SoftError for anything else."""
        try:
            form = _FORMER[value["method"]]._asdict() if value["method"] in _FORMER else {}
            former = {
                **form,
                "marker_beside": False,
                "mask": "open" if value.get("bidirectional", True) else "causal",
            }
            value = {name: each for name, each in value.items() if name != "bidirectional"}
            return cls(**{**former, **value, "ratios": tuple(value["ratios"])})
        except (KeyError, TypeError) as fault:
            raise SoftError(f"not the configuration of a soft compressor: {fault}") from None
