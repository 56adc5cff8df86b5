"""How much each token of a text counts: the rarer, the more."""

from collections.abc import Sequence

import numpy as np

from similarity.models.base import Rows, TokenIds


def weights_of_tokens(prefixes: Sequence[TokenIds], vocabulary: int, smoothing: float) -> Rows:
    """Return a / (a + p) for each token, shape "vocabulary", with p its frequency in these texts.

    What begins every text weighs next to nothing, as it is in all of them; a token that is in none
    weighs 1. Rounded to half precision, in which it is kept.
    """
    counts = np.bincount(np.concatenate(prefixes), minlength=vocabulary)
    weights = smoothing / (smoothing + counts / counts.sum())
    kept: Rows = weights.astype(np.float16).astype(np.float32)
    return kept
