"""The GGUF files that the edge bench runs: those that were given, else random ones of the exact shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics

from tokenizers import Tokenizer

from moosproxy.proxy.bench.edge.gguf import SHAPES, train_tokenizer, write_gguf
from moosproxy.proxy.bench.edge.prose import Prose
from moosproxy.proxy.bench.sides import SideError

QUANTISATIONS = {"0.5b": "Q8_0", "1.5b": "Q4_0"}
_PIECES = 16_000


@dataclass(frozen=True, slots=True)
class EdgeModel:
    """A file. random: its weights were made up; speed does not depend on them."""

    name: str
    path: Path
    random: bool

    @property
    def description(self) -> str:
        """For the table."""
        size = f"{self.path.stat().st_size / 1e6:.0f} MB"
        if not self.random:
            return f"{self.path.name}, {size}"
        kind = QUANTISATIONS[self.name]
        shape = f"Qwen2.5-{self.name.upper()}'s exact shape"
        return f"random weights in {shape}, {kind}, {size} (speed does not depend on the values)"


def find_models(names: Sequence[str], folder: Path) -> Iterator[EdgeModel]:
    """One after the other, each written when its turn comes. Raises SideError."""
    for name in names:
        if name in SHAPES:
            yield EdgeModel(name, _written(name, folder), random=True)
        elif Path(name).is_file():
            yield EdgeModel(Path(name).stem, Path(name), random=False)
        else:
            raise SideError(f"{name} is neither a GGUF file nor one of {', '.join(SHAPES)}")


def _tokenizer() -> Tokenizer:
    """Trained on the bench's own words, too: to a real model's vocabulary they are no rare ones."""
    prose = Prose(0)
    return train_tokenizer([*topics.values(), *(prose.of(5000) for _ in range(20))], _PIECES)


def _written(name: str, folder: Path) -> Path:
    path = folder / f"random-qwen2.5-{name}-{QUANTISATIONS[name].lower()}.gguf"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    try:
        write_gguf(draft, SHAPES[name], _tokenizer(), QUANTISATIONS[name])
    except ImportError:
        raise SideError("writing a model needs gguf: pip install gguf, or name a GGUF file with --model") from None
    draft.rename(path)
    return path
