"""The settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from training.model import ModelConfig


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What decides the weights of a run, besides its data.

    Attributes
    ----------
    hidden, layers, heads, intermediate : int
        Sizes of the model.
    accumulate : int
        Micro-batches (of 4096 tokens) a step.
    steps : int or None
        Steps of the whole run; None for all that the data is enough for. A run may go on with
        another number, so that it can end in time: the rates then fall towards the new end.
    muon_rate, adam_rate : float
        Peak learning rates.
    seed : int
        Seed of the first weights.
    precision : str
        Of the matrix products, "bfloat16" or "float32".
    """

    hidden: int = 256
    layers: int = 6
    heads: int = 4
    intermediate: int = 704
    accumulate: int = 3
    steps: int | None = None
    muon_rate: float = 0.02
    adam_rate: float = 0.003
    seed: int = 0
    precision: str = "bfloat16"

    def model(self, vocab: int) -> ModelConfig:
        """Sizes of the model for a vocabulary."""
        return ModelConfig(
            vocab=vocab,
            hidden=self.hidden,
            layers=self.layers,
            heads=self.heads,
            intermediate=self.intermediate,
        )


def faster_precision() -> str:
    """Return "bfloat16" where the processor multiplies it in hardware, else "float32"."""
    has = torch.cpu.get_capabilities()
    return "bfloat16" if has.get("avx512_bf16") or has.get("amx_bf16") else "float32"
