"""What a machine could do at most: its rate of matrix products over the FLOPs that are needed.

Counted are products with weights: of each token that must be read with the network's body, and of
each place whose next token is asked for with the head. Attention between tokens is left out, which
at these lengths is some per cent. The last layer is counted for every token, though what it does
after attention is needed at places that are asked for alone: for profiles, a part of the ceiling.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from similarity.models.base import TokenIds
from similarity.models.local import LocalModel
from similarity.models.prepacked import PrepackedLinear

# Rows and width of the products that the rate is measured on: large enough for a machine's best.
_SHAPE = {"cpu": (1024, 2048), "cuda": (8192, 8192)}


@dataclass(frozen=True)
class Work:
    """Tokens that the body must read, and places where the head is needed."""

    tokens: int
    places: int

    def __add__(self, other: "Work") -> "Work":
        return Work(self.tokens + other.tokens, self.places + other.places)

    def flops(self, model: LocalModel) -> int:
        """Return the FLOPs: two for each weight and token."""
        body, head = weights(model)
        return 2 * (body * self.tokens + head * self.places)


def weights(model: LocalModel) -> tuple[int, int]:
    """Return the number of weights of the body, without the table of tokens, and of the head."""
    module = model.network.module
    table = module.get_input_embeddings().weight  # type: ignore[operator]
    head = module.get_output_embeddings().weight  # type: ignore[operator]
    apart = {id(table): table.numel(), id(head): head.numel()}
    total = sum(parameter.numel() for parameter in module.parameters())
    total += sum(
        part.in_features * part.out_features
        for part in module.modules()
        if isinstance(part, PrepackedLinear)
    )
    return total - sum(apart.values()), int(head.numel())


def trajectory_work(prefixes: Sequence[int], lengths: Sequence[Sequence[int]]) -> Work:
    """Return what all pairs of neighbours need: texts 0 and 1, 2 and 3, ….

    A prefix is read once, each of its own trajectories once after it, and those of the other text
    once more; the last token of a trajectory is not read.

    Parameters
    ----------
    prefixes
        Tokens of each text.
    lengths
        Tokens of each text's trajectories.
    """
    work = Work(0, 0)
    for prefix, own in zip(prefixes, lengths, strict=True):
        read = sum(length - 1 for length in own)
        # After a prefix the first place is the same for all.
        work += Work(prefix, 1) + Work(2 * read, 2 * read)
    return work


def profile_work(prefixes: Sequence[TokenIds]) -> Work:
    """Return what profiles need: what the prompts share once, then each text, and no head."""
    if not prefixes:
        return Work(0, 0)
    first, last = min(prefixes), max(prefixes)
    shared = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    return Work(shared + sum(len(prefix) - shared for prefix in prefixes), 0)


def product_rate(
    device: torch.device,
    dtype: torch.dtype,
    repeats: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Measure FLOPs a second of matrix products, by some clock: the median of some runs."""
    rows, width = _SHAPE[device.type]
    left = torch.randn(rows, width, device=device, dtype=dtype)
    right = torch.randn(width, width, device=device, dtype=dtype)
    rates = []
    for run in range(repeats + 1):
        begin = clock()
        for _ in range(4):
            product = left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        else:
            float(product[0, 0])
        if run:  # the first warms up
            rates.append(4 * 2 * rows * width * width / (clock() - begin))
    return statistics.median(rates)
