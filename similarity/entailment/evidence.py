"""What a judgement of two texts rests on: their rows, and blocks of places for the interval."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from similarity.arrays import FloatArray
from similarity.entailment.estimators import Estimator, powered
from similarity.models.base import OnProgress
from similarity.noise import exponential, step_key, text_key

# Tokens of the vocabulary fall into so many blocks, by a hash; each is left out in turn.
BLOCKS = 20
SEED = 0


@dataclass(frozen=True)
class Evidence:
    """The rows of two texts, shape "text=2 place", and the block of each place."""

    rows: FloatArray
    blocks: NDArray[np.int64]

    def degrees(self, estimator: Estimator) -> FloatArray:
        """Return the degrees forward and backward."""
        first, second = self.rows
        return np.array([estimator.degree(first, second), estimator.degree(second, first)])

    def interval(self, estimator: Estimator, confidence: float) -> tuple[float, float]:
        """Return that of forward − backward, by the jackknife over blocks and Student's law."""

        def difference(kept: NDArray[np.bool_]) -> float:
            forward, backward = Evidence(self.rows[:, kept], self.blocks).degrees(estimator)
            return float(forward - backward)

        names = np.unique(self.blocks)
        n = len(names)
        left_out = np.array([difference(self.blocks != name) for name in names])
        error = np.sqrt((n - 1) / n * np.square(left_out - left_out.mean()).sum())
        half = -float(scipy.special.stdtrit(n - 1, (1 - confidence) / 2)) * float(error)
        value = difference(np.ones(len(self.blocks), bool))
        return max(-1.0, value - half), min(1.0, value + half)


def degree_matrix(estimator: Estimator, rows: FloatArray, on_progress: OnProgress) -> FloatArray:
    """Return the degree to which each text entails each other, shape "premise consequence".

    Parameters
    ----------
    rows
        Shape "text place".
    on_progress
        Called with the number of premises done.
    """
    if estimator.power is not None:
        # The same as below, as one product of matrices.
        powers = powered(rows, estimator.power)
        totals = powers.sum(axis=1)
        shared = (rows > 0).astype(np.float64) @ powers.T
        on_progress(len(rows))
        shares = np.divide(shared, totals, out=np.ones_like(shared), where=totals > 0)
        capped: FloatArray = np.minimum(shares, 1.0)
        return capped
    found = np.empty((len(rows), len(rows)))
    for i, premise in enumerate(rows):
        found[i] = [estimator.degree(premise, consequence) for consequence in rows]
        on_progress(1)
    return found


def blocks_of(places: int) -> NDArray[np.int64]:
    """Return the block of each place, by a hash, so that they are the same on every machine."""
    waits = exponential(step_key(text_key(SEED, "blocks"), 0, 0), places)
    blocks: NDArray[np.int64] = np.argsort(np.argsort(waits, kind="stable")) % min(BLOCKS, places)
    return blocks
