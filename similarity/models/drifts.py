"""How far two readings of the same states are apart, and how far rounding may move them."""

from dataclasses import dataclass

import numpy as np

from similarity.arrays import FloatArray, Rows

# Parts of its length by which one state may differ from itself, as in half precision in batches of
# other sizes. Other texts and other models differ by far more.
STATE_TOLERANCE = 0.05
# The same, as a root mean square over some states. Two that bfloat16 rounds each in its way are
# 0.019 apart (docs/log.md).
MEAN_STATE_TOLERANCE = 0.025
# How much the logarithm of their length may move on average: rounding lengthens some states and
# shortens others. Of one state bfloat16 moves it by 0.0025, of eight by 0.001.
LENGTH_TOLERANCE = 0.005


@dataclass(frozen=True)
class Drift:
    """The difference of some states from others.

    Parameters
    ----------
    worst
        The largest difference of one, in parts of its length.
    mean
        The root mean square of all differences, in parts of each length.
    longer
        By which part they are longer on average; negative where they are shorter.
    """

    worst: float
    mean: float
    longer: float

    @classmethod
    def between(cls, states: Rows, others: Rows) -> "Drift":
        """Return the drift of states from others, both of shape "prefix width".

        It is infinite if they have not the same number of coordinates.
        """
        if states.shape != others.shape:
            return cls(float("inf"), float("inf"), 0.0)
        lengths = np.linalg.norm(others.astype(np.float64), axis=1)
        gaps: FloatArray = np.linalg.norm(states.astype(np.float64) - others, axis=1) / lengths
        own = np.linalg.norm(states.astype(np.float64), axis=1)
        return cls(
            worst=float(gaps.max()),
            mean=float(np.sqrt((gaps**2).mean())),
            longer=float(np.log(own / lengths).mean()),
        )

    @property
    def is_rounding(self) -> bool:
        """Return whether rounding explains it; never where a number is NaN."""
        return (
            self.worst <= STATE_TOLERANCE
            and self.mean <= MEAN_STATE_TOLERANCE
            and abs(self.longer) <= LENGTH_TOLERANCE
        )

    @property
    def may_be_rounding(self) -> bool:
        """Return whether rounding explains it of one state; more may show otherwise."""
        return self.worst <= STATE_TOLERANCE

    def __str__(self) -> str:
        """Return the drift in words."""
        than = "longer" if self.longer > 0 else "shorter"
        return (
            f"{self.mean:.2g} of their length ({self.worst:.2g} at most), and are "
            f"{abs(self.longer):.2g} of it {than} on average"
        )


# What is allowed, for messages.
ALLOWED = (
    f"{MEAN_STATE_TOLERANCE:g} of their length ({STATE_TOLERANCE:g} at most) and "
    f"{LENGTH_TOLERANCE:g} longer or shorter are allowed for rounding"
)
