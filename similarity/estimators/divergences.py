"""Divergences of two next-token distributions: pure functions.

Each takes log-probabilities of shape "token vocabulary", nats, and returns shape "token". None is
negative, and each is exactly 0 on equal rows: the formulas are chosen so that rounding cannot
change that. Sums over the vocabulary are in double precision.
"""

from collections.abc import Callable

import numpy as np

from similarity.arrays import FloatArray, Rows

Divergence = Callable[[Rows, Rows], FloatArray]


def kl(log_p: Rows, log_q: Rows) -> FloatArray:
    """Return KL(p‖q) = Σ p log(p/q), nats, in [0, ∞)."""
    # Σ (q − p) is nothing but rounding; with it no term is negative.
    p, q = np.exp(log_p), np.exp(log_q)
    return np.maximum(_sum(p * (log_p - log_q) + (q - p)), 0.0)


def jeffreys(log_p: Rows, log_q: Rows) -> FloatArray:
    """Return KL(p‖q) + KL(q‖p) = Σ (p − q) log(p/q), nats, in [0, ∞)."""
    return _sum((np.exp(log_p) - np.exp(log_q)) * (log_p - log_q))


def jensen_shannon(log_p: Rows, log_q: Rows) -> FloatArray:
    """Return ½ KL(p‖r) + ½ KL(q‖r) with r = ½ (p + q), nats, in [0, log 2]."""
    p, q = np.exp(log_p), np.exp(log_q)
    # p/r = 1 + h and q/r = 1 − h. Cut where one is all of r, and the other's term next to nothing.
    edge = 1 - np.finfo(np.float32).eps
    h = np.clip((p - q) / (p + q), -edge, edge)
    return np.maximum(_sum(p * np.log1p(h) + q * np.log1p(-h)) / 2, 0.0)


def squared_hellinger(log_p: Rows, log_q: Rows) -> FloatArray:
    """Return ½ Σ (√p − √q)² = 1 − Σ √(p q), in [0, 1]: the square of the Hellinger distance."""
    return _at_most_1(_sum(np.square(np.exp(log_p / 2) - np.exp(log_q / 2))) / 2)


def total_variation(log_p: Rows, log_q: Rows) -> FloatArray:
    """Return ½ Σ |p − q|, in [0, 1]."""
    return _at_most_1(_sum(np.abs(np.exp(log_p) - np.exp(log_q))) / 2)


def relative(between: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Return 2 d(p, q) / (d(p, q) + d(p, r) + d(q, r)), in [0, 1], of three divergences.

    Steinhaus's transform of a metric d: itself a metric. It is 0 where p is q, and 1 where r is
    one of them or lies between them: they have nothing in common that sets them apart from r.
    """
    total = between + first + second
    return _at_most_1(np.divide(2 * between, total, out=np.zeros_like(total), where=total > 0))


def _sum(terms: Rows) -> FloatArray:
    total: FloatArray = terms.sum(axis=-1, dtype=np.float64)
    return total


def _at_most_1(values: FloatArray) -> FloatArray:
    """Return values without what rounding has added: a similarity below 0 is refused elsewhere."""
    return np.minimum(values, 1.0)
