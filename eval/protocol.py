"""How scores are held against human judgement."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from similarity.errors import InputError


def spearman(scores: Sequence[float], judgements: Sequence[float]) -> float:
    """Return Spearman's rank correlation × 100, as the papers of the field print it.

    Raises
    ------
    InputError
        If there are fewer than two pairs, or either side is constant: it is not defined then.
    """
    if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(judgements) == 0:
        raise InputError("Spearman's correlation needs two pairs or more whose scores differ")
    return 100 * float(spearmanr(scores, judgements).statistic)
