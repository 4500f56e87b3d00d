"""What a soft compressor is: its method, its shape and what it was trained for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from moosproxy.compressor.soft.errors import RatioNotTrained, SoftError

Method = Literal["sac", "icformer", "icae", "500x", "epl"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)


@dataclass(frozen=True, slots=True)
class SoftConfig:
    """One compressor. The defaults are the published ones; a small base model takes smaller ones.

    ratios: those it is trained for. chunk: tokens that are compressed together. rank, alpha: of LoRA. blocks:
    cross-attention blocks of IC-Former. anchor_table: a vector for each anchor of a chunk instead of one for all
    (SAC's code against its paper). bidirectional: whether SAC's encoder sees ahead.
    """

    method: Method
    ratios: tuple[int, ...] = (5,)
    chunk: int = 510
    rank: int = 128
    alpha: int = 256
    blocks: int = 3
    anchor_table: bool = False
    bidirectional: bool = True

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise SoftError(f"no method {self.method!r}: choose one of {', '.join(METHODS)}")
        if not self.ratios or min(self.ratios) < 1 or self.chunk < 1:
            raise SoftError("a compressor needs at least one ratio of 1 or more and a chunk of at least one token")

    def check(self, ratio: int) -> None:
        """Raises RatioNotTrained."""
        if ratio not in self.ratios:
            known = ", ".join(str(each) for each in sorted(self.ratios))
            raise RatioNotTrained(f"this {self.method} checkpoint was trained for {known}, not for {ratio}")

    def to_json(self) -> dict[str, Any]:
        """As a file holds it."""
        return {**asdict(self), "ratios": list(self.ratios)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SoftConfig:
        """The inverse; raises SoftError for anything else."""
        try:
            return cls(**{**value, "ratios": tuple(value["ratios"])})
        except (KeyError, TypeError) as fault:
            raise SoftError(f"not the configuration of a soft compressor: {fault}") from None
