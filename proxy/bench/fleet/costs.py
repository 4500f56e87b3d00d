"""What one request costs one process, as it was measured, in a small JSON file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson


class CostsError(ValueError):
    """The file of costs cannot be used; says why, and what makes a new one."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds on the machine that measured.

    proxy_s: of a proxy's event loop for a streamed request; proxy_token_s: more of it a token of known texts.
    text_s: of a compressor for any text. text_token_s: before and after the model, which another text's model may
    overlap. model_token_s: in the model; model_s: there for any text, such as a last window that is not full.
    spread: standard deviation of the logarithm of a text's cost. hop_s: between a proxy and the tier, both ways; 0
    in one process. redis_s: a look-up. start_s: until ready. probe_s: of a proxy's event loop, for a replica's
    state.
    """

    proxy_s: float
    proxy_token_s: float
    text_s: float
    text_token_s: float
    model_token_s: float
    model_s: float = 0.0
    spread: float = 0.0
    hop_s: float = 0.002
    redis_s: float = 0.001
    start_s: float = 3.0
    probe_s: float = 0.0005
    machine: str = ""

    @property
    def tokens_per_s(self) -> float:
        """Of one busy compressor."""
        return 1 / max(self.model_token_s, self.text_token_s)

    def write(self, file: Path) -> None:
        """As JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2) + b"\n")


def read_costs(file: Path) -> Costs:
    """What `write` wrote. Raises CostsError."""
    make = "`moos bench fleet --calibrate` measures one"
    try:
        found = orjson.loads(file.read_bytes())
        return Costs(**found)
    except OSError:
        raise CostsError(f"{file} cannot be read: {make}") from None
    except (ValueError, TypeError) as fault:
        raise CostsError(f"{file} holds no costs ({fault}): {make}") from None
