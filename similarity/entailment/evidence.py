"""What a judgement of two texts rests on: their rows, and blocks of places for the interval.

The direction is in nats, above 0 where the first text entails the second rather than the reverse.
Its first part is the log ratio of what degrees lack of 1. Degrees near 1 thus count by what is
missing. Its second part is the difference in evenness: a text that says more is harder to sum up
in a word, and leaves more words open.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from similarity.arrays import FloatArray
from similarity.entailment.estimators import EntailmentEstimator, powered
from similarity.models.base import OnProgress
from similarity.noise import exponential, step_key, text_key

# Tokens of the vocabulary fall into so many blocks, by a hash; each is left out in turn.
BLOCKS = 20
SEED = 0
# Added to what a degree lacks of 1: less than this is as good as nothing.
LACK = 1e-3
# Tokens that are left out have at most all but this of the probability: what float32 resolves.
LEAST_KEPT = 1e-7

# Texts whose rows are held at once.
TOGETHER = 64

Kept = NDArray[np.bool_]


@dataclass(frozen=True)
class Evidence:
    """What is known of two texts.

    Parameters
    ----------
    rows
        Shape "text=2 place".
    blocks
        The block of each place.
    log_probs
        ℓ at each place that is a token, shape "text=2 place", nats; None where none reads it.
    """

    rows: FloatArray
    blocks: NDArray[np.int64]
    log_probs: FloatArray | None = None

    def degrees(self, estimator: EntailmentEstimator) -> FloatArray:
        """Return the degrees forward and backward."""
        first, second = self.rows
        return np.array([estimator.degree(first, second), estimator.degree(second, first)])

    def direction(
        self, estimator: EntailmentEstimator, kept: Kept | None = None
    ) -> tuple[float, float]:
        """Return its two parts, by inclusion and by evenness: nats.

        Parameters
        ----------
        kept
            Which places are looked at; None for all. The others are as if there were no such
            tokens: those that are kept share all probability.
        """
        kept = np.ones(len(self.blocks), bool) if kept is None else kept
        degrees = Evidence(self.rows[:, kept], self.blocks[kept]).degrees(estimator)
        forward, backward = np.log(1 - degrees + LACK)
        if not estimator.evenness:
            return float(backward - forward), 0.0
        assert self.log_probs is not None
        first, second = evenness(self.log_probs, kept)
        return float(backward - forward), estimator.evenness * float(first - second)

    def interval(self, estimator: EntailmentEstimator, confidence: float) -> tuple[float, float]:
        """Return that of the direction, by the jackknife over blocks and Student's law."""
        left_out = self.left_out(estimator)
        n = len(left_out)
        error = np.sqrt((n - 1) / n * np.square(left_out - left_out.mean()).sum())
        half = -float(scipy.special.stdtrit(n - 1, (1 - confidence) / 2)) * float(error)
        value = sum(self.direction(estimator))
        return value - half, value + half

    def left_out(self, estimator: EntailmentEstimator) -> FloatArray:
        """Return the direction with each block left out, shape "block", nats."""
        names = np.unique(self.blocks)
        terms, of_shares = estimator.terms, estimator.of_shares
        if terms is None:
            kept = (self.blocks != name for name in names)
            return np.array([sum(self.direction(estimator, of_others)) for of_others in kept])
        # The same by the sums of each block: all places are looked at once, not once for each.
        others = 1 - np.eye(len(names))

        def sums(values: FloatArray) -> FloatArray:
            return np.bincount(self.blocks, values)[names].astype(np.float64)

        def share(first: FloatArray, second: FloatArray) -> FloatArray:
            part, whole = (others @ sums(of) for of in terms(first, second))
            found = np.divide(part, whole, out=np.ones_like(part), where=whole > 0)
            capped: FloatArray = np.minimum(found, 1)
            return capped

        first, second = self.rows
        forward, backward = share(first, second), share(second, first)
        degrees = of_shares(forward, backward), of_shares(backward, forward)
        ahead, back = (np.log(1 - degree + LACK) for degree in degrees)
        found: FloatArray = back - ahead
        if estimator.evenness:
            assert self.log_probs is not None
            count = others @ sums(np.ones(len(self.blocks)))
            a, b = (
                others @ sums(row) / count - np.log(np.maximum(1 - sums(np.exp(row)), LEAST_KEPT))
                for row in self.log_probs
            )
            found += estimator.evenness * (a - b)
        return found


def evenness(log_probs: FloatArray, kept: Kept) -> FloatArray:
    """Return the mean over kept tokens of log P(token | one of those kept), shape "text", nats.

    It is highest, −log of their number, where all are alike. Up to a constant it is minus the
    relative entropy of the uniform distribution to this one.
    """
    left_out = np.exp(log_probs[:, ~kept]).sum(axis=1)
    total = np.log(np.maximum(1 - left_out, LEAST_KEPT))
    found: FloatArray = log_probs[:, kept].mean(axis=1) - total
    return found


def degree_matrix(
    estimator: EntailmentEstimator,
    rows_of: Callable[[slice], FloatArray],
    count: int,
    on_progress: OnProgress,
) -> FloatArray:
    """Return the degree to which each text entails each other, shape "premise consequence".

    Parameters
    ----------
    rows_of
        Gives the rows of some of `count` texts, shape "text place".
    on_progress
        Called with the number of texts done.
    """
    found = np.empty((count, count))
    if estimator.power is not None:
        # The same as below, as products of matrices. The rows of all texts would take a gigabyte
        # over a large vocabulary, so only where they are above 0 is kept: they are made twice.
        some = [slice(start, start + TOGETHER) for start in range(0, count, TOGETHER)]
        positive = np.concatenate([rows_of(texts) > 0 for texts in some])
        for consequences in some:
            powers = powered(rows_of(consequences), estimator.power)
            totals = powers.sum(axis=1)
            for premises in some:
                shared = positive[premises].astype(np.float64) @ powers.T
                found[premises, consequences] = np.divide(
                    shared, totals, out=np.ones_like(shared), where=totals > 0
                )
            on_progress(len(powers))
        capped: FloatArray = np.minimum(found, 1.0)
        return capped
    rows = rows_of(slice(None))
    for i, premise in enumerate(rows):
        found[i] = [estimator.degree(premise, consequence) for consequence in rows]
        on_progress(1)
    return found


# The hash of each token of a large vocabulary takes longer than a judgement.
@lru_cache(maxsize=16)
def blocks_of(places: int) -> NDArray[np.int64]:
    """Return the block of each place, by a hash, so that they are the same on every machine.

    The array is shared, and read only.
    """
    waits = exponential(step_key(text_key(SEED, "blocks"), 0, 0), places)
    blocks: NDArray[np.int64] = np.argsort(np.argsort(waits, kind="stable")) % min(BLOCKS, places)
    blocks.setflags(write=False)
    return blocks
