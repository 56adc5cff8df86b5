"""Distances of log-likelihoods relative to a bank of texts: pointwise mutual information.

Each takes rows of shape "trajectory", nats per token: under the two texts, then under each text of
the bank. The part of a trajectory's log-likelihood that is the same under all texts says nothing
of either. The rest is the information that the text gives of the trajectory.
"""

import numpy as np

from similarity.arrays import FloatArray


def centred_cosine(first: FloatArray, second: FloatArray, *bank: FloatArray) -> float:
    """Return ½ (1 − cos), in [0, 1], of the two rows less the bank's mean row."""
    centre = np.mean(bank, axis=0)
    return half_cosine_distance(first - centre, second - centre)


def whitened_cosine(first: FloatArray, second: FloatArray, *bank: FloatArray) -> float:
    """Return ½ (1 − cos), in [0, 1], of the centred rows, whitened by the bank's covariance.

    The covariance of trajectories over the bank has as many dimensions as there are trajectories,
    and the bank few texts: half of it is replaced by its mean variance (shrinkage).
    """
    texts = np.array(bank)
    centre = texts.mean(axis=0)
    spread = texts - centre
    covariance = spread.T @ spread / len(texts)
    variance = np.trace(covariance) / centre.size or 1.0  # equal rows whiten nothing
    values, vectors = np.linalg.eigh((covariance / variance + np.eye(centre.size)) / 2)
    whitening = vectors / np.sqrt(values)
    return half_cosine_distance((first - centre) @ whitening, (second - centre) @ whitening)


def half_cosine_distance(first: FloatArray, second: FloatArray) -> float:
    """Return ½ (1 − cos) of two vectors; ½, as of right angles, where just one is zero."""
    first, second = (
        vector / length if (length := np.linalg.norm(vector)) > 0 else vector
        for vector in (first, second)
    )
    if first.any() != second.any():
        return 0.5
    # ½‖x̂ − ŷ‖² equals 1 − cos, and is exactly 0 for equal vectors.
    return min(float(np.sum(np.square(first - second))) / 4, 1.0)
