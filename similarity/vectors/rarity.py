"""How much each token of a text counts, or each trigram: the rarer, the more."""

from collections.abc import Iterable

import numpy as np

from similarity.arrays import Rows
from similarity.models.base import TokenIds


def weights_by_rarity(texts: Iterable[TokenIds], kinds: int, smoothing: float) -> Rows:
    """Return a / (a + p) for each number below `kinds`, with p its frequency in these texts.

    What is in every text weighs next to nothing, and what is in none weighs 1. Rounded to half
    precision, in which it is kept.
    """
    counts = np.bincount(np.concatenate(list(texts)), minlength=kinds)
    weights = smoothing / (smoothing + counts / counts.sum())
    kept: Rows = weights.astype(np.float16).astype(np.float32)
    return kept
