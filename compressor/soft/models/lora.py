"""Low-rank adapters on the frozen model, on while it compresses and off while it reads."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer

from moosproxy.compressor.soft.models.base import FrozenModel

_NUMBER: Final = count()


class Adapter:
    """LoRA on q_proj and v_proj of every layer (A Kaiming-uniform, B zero, so that it starts as no change)."""

    def __init__(self, base: FrozenModel, rank: int, alpha: int) -> None:
        self._name = f"soft{next(_NUMBER)}"
        config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=["q_proj", "v_proj"])
        with warnings.catch_warnings():
            # peft warns of a second adapter; here each compressor has its own, and one is on at a time.
            warnings.simplefilter("ignore", UserWarning)
            inject_adapter_in_model(config, base.model.model, adapter_name=self._name)
        self._layers = [each for each in base.model.modules() if isinstance(each, LoraLayer)]
        self.weights = {
            name.replace(f".{self._name}", "").replace(".", "-"): weight
            for name, weight in base.model.model.named_parameters()
            if f".{self._name}." in name
        }
        for weight in self.weights.values():
            # Whatever the model's precision: in bfloat16 most steps of an optimiser would round to nothing.
            weight.data = weight.data.float()
        self._switch(False)

    @contextmanager
    def on(self) -> Iterator[None]:
        """The model with this adapter, and no other."""
        self._switch(True)
        try:
            yield
        finally:
            self._switch(False)

    def _switch(self, on: bool) -> None:
        # peft turns gradients off together with an adapter, before the backward pass has come to use them.
        wanted = {name: weight.requires_grad for name, weight in self.weights.items()}
        for layer in self._layers:
            if on:
                layer.set_adapter(self._name)
            layer.enable_adapters(on)
        for name, weight in self.weights.items():
            weight.requires_grad_(wanted[name])
