"""Which of numbers is the greatest, where rounding alone may part some of them.

The same texts, read in another batch or from a cache, give numbers that differ by rounding. What
is chosen by them must not change with it: so a tie within rounding goes by order.
"""

from collections.abc import Sequence

import numpy as np

from similarity.arrays import FloatArray

# Of similarities and degrees in [0, 1]: ten times what single precision and batches make of them.
TIE = 1e-5
# Of sums in double precision.
ROUNDING = 1e-9


def first_greatest(values: FloatArray, before: FloatArray | None = None) -> int:
    """Return the place of the greatest value; of those within `TIE` of it, the first.

    Parameters
    ----------
    before
        Of each value what decides a tie before its place does, the greatest; None for nothing.
    """
    tied = np.flatnonzero(values >= values.max() - TIE)
    return int(tied[0] if before is None else tied[before[tied].argmax()])


def greatest_first(values: Sequence[float]) -> list[int]:
    """Return the places of values, the greatest first; those within `ROUNDING` are in order.

    Values that follow each other within it are all tied.
    """
    order = np.argsort(-np.asarray(values, dtype=np.float64), kind="stable")
    falls = -np.diff(np.asarray(values, dtype=np.float64)[order], prepend=np.inf) > ROUNDING
    return [int(i) for i in order[np.lexsort((order, np.cumsum(falls)))]]
