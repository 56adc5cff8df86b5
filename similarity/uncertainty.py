"""How far a distance may be off because trajectories were sampled: confidence intervals.

The k-th trajectory of the first text and the k-th of the second are one independent draw of a
pair, so n trajectories a text are n draws. A distance is a function of them all; leaving out one
draw at a time gives its standard error (the jackknife), whatever the distance. For a mean, such as
`l1`, that is Student's interval exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from similarity.arrays import FloatArray
from similarity.config import MAX_TRAJECTORIES
from similarity.distances import Distance
from similarity.errors import ConfigError
from similarity.fields import keep, keep_integer
from similarity.validation import given_number

Positions = NDArray[np.intp]

DEFAULT_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where distance and similarity would be with trajectories without end.

    It is of this model and these settings: it says nothing of how right the model is.

    Parameters
    ----------
    confidence
        The share of runs, each with a seed of its own, whose interval holds the value.
    distance, similarity
        Lower and upper end, in the unit of each.
    half_width
        Of the distance's interval, before it is cut at the ends of the distance's range.
    """

    confidence: float
    distance: tuple[float, float]
    similarity: tuple[float, float]
    half_width: float

    def to_dict(self) -> dict[str, Any]:
        """Return the ends as plain values, for JSON."""
        return {
            "confidence": self.confidence,
            "distance": list(self.distance),
            "similarity": list(self.similarity),
        }


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How tight an interval must be for sampling to stop.

    Parameters
    ----------
    half_width
        Of the distance's interval, in the distance's unit.
    confidence
        Of that interval.
    max_trajectories
        Of each text; there it stops, tight or not.
    """

    half_width: float
    confidence: float = DEFAULT_CONFIDENCE
    max_trajectories: int = 640

    def __post_init__(self) -> None:
        width = given_number("tolerance", self.half_width)
        if width <= 0:
            raise ConfigError(f"tolerance must be a number above 0, got {width:g}", "tolerance")
        keep(self, half_width=width, confidence=given_confidence(self.confidence))
        keep_integer(self, "max_trajectories", at_least=2, at_most=MAX_TRAJECTORIES)

    def satisfied_by(self, n: int, interval: Interval) -> bool:
        """Return whether to stop at n trajectories of each text and this interval."""
        return interval.half_width <= self.half_width or n >= self.max_trajectories


def confidence_interval(
    distance: Distance,
    to_similarity: Callable[[float], float],
    rows: FloatArray,
    confidence: float,
    value: float,
) -> Interval:
    """Return the interval of a distance, where there is one (`check_interval`).

    It holds the distance and its similarity, whatever rounding does.

    Parameters
    ----------
    to_similarity
        Falls with the distance.
    rows
        What the distance is of, shape "row trajectory": of the 2n pooled trajectories, n from
        the first text, then n from the second.
    value
        The distance of these rows, as it was given before: computed anew it may differ by 1e-16.
    """
    confidence = given_confidence(confidence)
    n = rows.shape[1] // 2
    error = _standard_error(lambda kept: distance(*rows[:, kept]), n)
    # By the lower tail, which rounding does not make empty, however near to 1 the confidence is.
    half = -float(scipy.special.stdtrit(n - 1, (1 - confidence) / 2)) * error
    low, high = max(value - half, 0.0), value + half
    high = min(high, 1.0) if distance.bounded else high
    similarity = to_similarity(value)
    return Interval(
        confidence=confidence,
        distance=(low, high),
        # A scale is piecewise linear, and may rise by a rounding.
        similarity=(
            min(to_similarity(high), similarity),
            max(to_similarity(low), similarity),
        ),
        half_width=half,
    )


def check_interval(distance: Distance, n: int, confidence: float) -> None:
    """Raise ConfigError unless this distance has an interval at n trajectories of each text."""
    given_confidence(confidence)
    if not distance.smooth:
        raise ConfigError(
            "this distance has no interval, as its one most extreme trajectory decides it; choose "
            "another distance",
            "distance",
        )
    if n < 2:
        message = f"an interval needs n_trajectories of at least 2, got {n}"
        raise ConfigError(message, "n_trajectories")


def _standard_error(estimate: Callable[[Positions], float], n: int) -> float:
    """Return the jackknife's standard error over n pairs of trajectories.

    `estimate` is called with the positions of those to keep among the 2n that are pooled.
    """
    pooled = np.arange(2 * n)
    left_out = np.array([estimate(pooled[pooled % n != k]) for k in range(n)])
    return float(np.sqrt((n - 1) / n * np.sum(np.square(left_out - left_out.mean()))))


def given_confidence(confidence: object) -> float:
    """Return a confidence as a float; raise ConfigError unless it is between 0 and 1."""
    found = given_number("confidence", confidence)
    if not 0 < found < 1:
        raise ConfigError(f"confidence must be between 0 and 1, got {found:g}", "confidence")
    return found
