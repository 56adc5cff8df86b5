"""How far similarities are what people would say: the means of both, in bins of like similarity."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from similarity.arrays import FloatArray
from similarity.given import check_as_many

# Of a normal distribution: half of a 95 % interval, in standard deviations, and the mean size.
_HALF = 1.96
_MEAN_SIZE = sqrt(2 / pi)


@dataclass(frozen=True)
class Bin:
    """Pairs of like similarity: how many, and the means of what was computed and judged.

    Parameters
    ----------
    similarity, judged
        The means, both in [0, 1].
    half_width
        Of the 95 % interval of the mean judgement.
    """

    pairs: int
    similarity: float
    judged: float
    half_width: float


def reliability(similarities: FloatArray, judged: FloatArray, bins: int) -> list[Bin]:
    """Return the means of similarity and judgement in bins of equally many pairs.

    Parameters
    ----------
    similarities, judged
        In [0, 1], shape "pair".
    bins
        Fewer where there are fewer pairs.

    Raises
    ------
    InputError
        If there are not as many of both.
    """
    check_as_many("similarities", len(similarities), "judgements", len(judged))
    order = np.argsort(similarities, kind="stable")
    return [
        Bin(
            pairs=len(chosen),
            similarity=float(similarities[chosen].mean()),
            judged=float(judged[chosen].mean()),
            half_width=float(_HALF * judged[chosen].std() / sqrt(len(chosen))),
        )
        for chosen in np.array_split(order, bins)
        if len(chosen)
    ]


def mean_gap(bins: Sequence[Bin]) -> float:
    """Return how far similarity and judgement are apart, as the mean over bins."""
    return float(np.mean([abs(one.similarity - one.judged) for one in bins]))


def gap_by_chance(bins: Sequence[Bin]) -> float:
    """Return about how large the mean gap of an exact scale would be, on so few pairs."""
    return float(np.mean([one.half_width / _HALF * _MEAN_SIZE for one in bins]))
