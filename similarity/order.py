"""The partial order of meanings: M_u ≤ M_v iff it holds at every trajectory (paper, Section 3).

Rows have shape "trajectory", in nats per token, over the pooled trajectories of both texts.
"""

import numpy as np

from similarity.arrays import FloatArray
from similarity.distances import Distance


def meet(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return M_u ∧ M_v, the greatest meaning below both: the pointwise minimum."""
    return np.minimum(first, second)


def join(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return M_u ∨ M_v, the least meaning above both: the pointwise maximum."""
    return np.maximum(first, second)


def entailment_margin(first: FloatArray, second: FloatArray, distance: Distance) -> float:
    """Return d(M_u∧M_v, M_u) − d(M_u∧M_v, M_v): positive where u entails v rather than v u.

    Antisymmetric in the two rows. Under L1 it is the mean of log M_u(t) − log M_v(t).
    """
    below = meet(first, second)
    return distance(below, first) - distance(below, second)
