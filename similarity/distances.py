"""Distances between two texts' log-likelihoods of the same trajectories: pure functions.

Each takes two rows, shape "trajectory", of log M_u(t) and log M_v(t) in nats per token, over the
pooled trajectories of both texts. All are symmetric, and exactly 0 on equal rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from similarity.arrays import FloatArray

# The temperature of the soft-max over trajectories, as in the paper's public code.
TAU = 0.5


def l1(first: FloatArray, second: FloatArray) -> float:
    """Return the mean of |log M_u(t) − log M_v(t)|, nats per token: the paper's distance d."""
    return float(np.mean(np.abs(first - second)))


def l2(first: FloatArray, second: FloatArray) -> float:
    """Return the root mean square of the difference, nats per token.

    The L² norm under the same measure, a mean over trajectories, as `l1`; the Euclidean
    norm of the rows is this times the square root of their length.
    """
    return float(np.sqrt(np.mean(np.square(first - second))))


def linf(first: FloatArray, second: FloatArray) -> float:
    """Return the largest |log M_u(t) − log M_v(t)|, nats per token."""
    return float(np.max(np.abs(first - second)))


def symmetric_kl(first: FloatArray, second: FloatArray) -> float:
    """Return KL(p‖q) + KL(q‖p), nats, of the rows' soft-max over trajectories."""
    log_p, log_q = scipy.special.log_softmax(TAU * first), scipy.special.log_softmax(TAU * second)
    return float(np.sum((np.exp(log_p) - np.exp(log_q)) * (log_p - log_q)))


def hellinger(first: FloatArray, second: FloatArray) -> float:
    """Return the Hellinger distance, in [0, 1], of the rows' soft-max over trajectories."""
    root_p, root_q = (np.exp(scipy.special.log_softmax(TAU * row) / 2) for row in (first, second))
    return _unit(np.linalg.norm(root_p - root_q) / np.sqrt(2))


def total_variation(first: FloatArray, second: FloatArray) -> float:
    """Return half the L1 norm, in [0, 1], between the rows' soft-max over trajectories."""
    p, q = (np.exp(scipy.special.log_softmax(TAU * row)) for row in (first, second))
    return _unit(np.sum(np.abs(p - q)) / 2)


def cosine(first: FloatArray, second: FloatArray) -> float:
    """Return one minus the cosine, in [0, 1], of the rows' soft-max over trajectories."""
    p, q = (np.exp(scipy.special.log_softmax(TAU * row)) for row in (first, second))
    difference = p / np.linalg.norm(p) - q / np.linalg.norm(q)
    # ½‖p̂ − q̂‖² equals 1 − cos, and is exactly 0 for equal rows.
    return _unit(np.sum(np.square(difference)) / 2)


@dataclass(frozen=True)
class Distance:
    """A distance by name, whether it is at most 1, and whether averages decide it.

    Not `smooth` is what one trajectory alone decides: it settles on nothing as n grows, and has
    no confidence interval. What `is_mean` is a mean over trajectories: its expectation is the
    same for every n, and so is its scale.
    """

    function: Callable[..., float]
    bounded: bool
    summary: str
    smooth: bool = True
    is_mean: bool = False

    def __call__(self, *rows: FloatArray) -> float:
        """Return the distance of two rows, shape "trajectory", or of what else it is made for."""
        return self.function(*rows)

    def similarity(self, value: float) -> float:
        """Map a distance to a similarity in [0, 1]: 1 − d where d ≤ 1 always, else exp(−d).

        The default where nothing was calibrated; strictly decreasing, and 1 at distance 0.
        """
        return 1.0 - value if self.bounded else float(np.exp(-value))


DISTANCES = {
    "l1": Distance(
        l1, False, "mean absolute difference of log-likelihoods (the paper's)", is_mean=True
    ),
    "l2": Distance(l2, False, "root mean square difference of log-likelihoods"),
    "linf": Distance(linf, False, "largest difference of log-likelihoods", smooth=False),
    "symmetric-kl": Distance(symmetric_kl, False, "KL(p‖q) + KL(q‖p) over the trajectories"),
    "hellinger": Distance(hellinger, True, "Hellinger distance over the trajectories"),
    "total-variation": Distance(total_variation, True, "half the L1 norm over the trajectories"),
    "cosine": Distance(cosine, True, "one minus the cosine over the trajectories"),
}


def _unit(value: np.floating | float) -> float:
    """Cut rounding that passes 1 by some 1e-16."""
    return min(float(value), 1.0)
