"""The optimisers of the training run and the schedule of their learning rates."""

from __future__ import annotations

import torch

from training.model import Llama

WARM_UP = 0.03


def make_optimizers(
    model: Llama, muon_rate: float, adam_rate: float
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for the embedding and the norms."""
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    inside = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in inside]
    muon = torch.optim.Muon(matrices, lr=muon_rate, weight_decay=0.01, momentum=0.95)
    adam = torch.optim.AdamW(others, lr=adam_rate, betas=(0.9, 0.95), weight_decay=0.0)
    for group in (*muon.param_groups, *adam.param_groups):
        group["peak"] = group["lr"]
    return [muon, adam]


def rate_factor(step: int, steps: int) -> float:
    """Share of the peak rate at a step (from 0): up over 3 % of the run, straight down to zero."""
    warm = max(1, round(WARM_UP * steps))
    return min((step + 1) / warm, (steps - step) / max(1, steps - warm))


def set_rates(optimizers: list[torch.optim.Optimizer], step: int, steps: int) -> None:
    """Set every rate to its peak times the step's factor."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate_factor(step, steps)
