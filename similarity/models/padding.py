"""Texts of several lengths in one tensor, and which of them to read together."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from similarity.models.base import TokenIds


def batches_by_length(prefixes: Sequence[TokenIds], max_tokens: int) -> Iterator[list[int]]:
    """Yield groups of prefixes of like length, by number, at most `max_tokens` with padding."""
    batch: list[int] = []
    for number in sorted(range(len(prefixes)), key=lambda i: len(prefixes[i])):
        if batch and len(prefixes[number]) * (len(batch) + 1) > max_tokens:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def right_padded(prefixes: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ids and mask, shape "prefix position", the tokens at the left end."""
    mask = [[1] * len(prefix) for prefix in prefixes]
    return filled(prefixes, 0, device), filled(mask, 0, device)


def left_padded(prefixes: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ids and mask, shape "prefix position", the tokens at the right end."""
    width = max(map(len, prefixes))
    ids = [[0] * (width - len(prefix)) + list(prefix) for prefix in prefixes]
    mask = [[0] * (width - len(prefix)) + [1] * len(prefix) for prefix in prefixes]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def filled(rows: Sequence[Sequence[int]], fill: int, device: torch.device) -> Tensor:
    """Return numbers as one tensor, shape "row position", each row filled at its right end."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], device=device)
