"""How much arithmetic compression takes, counted from the shapes: two operations a multiply-add, matrix products
only, as torch's FlopCounterMode counts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from moosproxy.compressor.soft.models.positions import even_chunks, fixed_chunks, slots


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a language model the arithmetic depends on."""

    width: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int

    @property
    def head_dim(self) -> int:
        return self.width // self.heads

    @classmethod
    def of(cls, config: Any) -> Shape:
        """From a configuration in Hugging Face form."""
        return cls(
            config.hidden_size,
            config.intermediate_size,
            config.num_hidden_layers,
            config.num_attention_heads,
            config.num_key_value_heads,
            config.vocab_size,
        )


# Published configurations of these models; IC-Former's paper uses the last.
SHAPES: Final = {
    "smollm2-135m": Shape(576, 1536, 30, 9, 3, 49_152),
    "qwen2.5-0.5b": Shape(896, 4864, 24, 14, 2, 151_936),
    "qwen2.5-7b": Shape(3584, 18_944, 28, 28, 4, 152_064),
    "llama-2-7b": Shape(4096, 11_008, 32, 32, 32, 32_000),
}


def _decoder(shape: Shape, tokens: int) -> int:
    """One pass of every layer over `tokens` tokens, the whole square of attention scores."""
    own, kv = shape.width * shape.heads * shape.head_dim, shape.width * shape.kv_heads * shape.head_dim
    linear = 2 * own + 2 * kv + 3 * shape.width * shape.inner
    scores = 2 * tokens * shape.heads * shape.head_dim
    return shape.layers * 2 * tokens * (linear + scores)


def _adapters(shape: Shape, tokens: int, rank: int) -> int:
    """LoRA on q and v."""
    kv = shape.kv_heads * shape.head_dim
    return shape.layers * 2 * tokens * rank * (2 * shape.width + shape.heads * shape.head_dim + kv)


def icae(shape: Shape, length: int, ratio: int, chunk: int = 512, rank: int = 128) -> int:
    """Operations of ICAE: the language model over context and memory tokens, chunk by chunk."""
    sizes = [len(part) + slots(len(part), ratio) for part in fixed_chunks(length, chunk)]
    return sum(_decoder(shape, size) + _adapters(shape, size, rank) for size in sizes)


def icformer(shape: Shape, length: int, ratio: int, chunk: int = 512, blocks: int = 3) -> int:
    """Operations of IC-Former: keys and values of context and digests, everything else for digests only."""
    total = 0
    for part in even_chunks(length, chunk):
        digests = slots(len(part), ratio)
        source = len(part) + digests
        square = shape.width * shape.width
        linear = 2 * source * square + 2 * digests * square + 3 * digests * shape.width * shape.inner
        scores = 2 * digests * source * shape.width
        total += blocks * 2 * (linear + scores)
    return total


def sac(shape: Shape, length: int, ratio: int, chunk: int = 510, rank: int = 128) -> int:
    """Operations of SAC: the language model over the context alone, at any ratio."""
    sizes = [len(part) for part in fixed_chunks(length, chunk)]
    return sum(_decoder(shape, size) + _adapters(shape, size, rank) for size in sizes)


COUNTED: Final[dict[str, Callable[[Shape, int, int], int]]] = {"icformer": icformer, "icae": icae, "sac": sac}
