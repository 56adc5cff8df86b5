"""Distances of vectors that are the same to the last bit, alone and in any matrix.

Coordinates are rounded to a grid. All products of two vectors and their sums are then exact in
double precision, in whatever order a library adds. So a matrix can be one product.
"""

import numpy as np

from similarity.arrays import FloatArray, Rows

# Sums of products of vectors of length 1 are multiples of its square below 8: 53 bits hold them.
GRID = 2.0**-25


def on_grid(vectors: Rows) -> FloatArray:
    """Return vectors whose coordinates are multiples of GRID, moved by less than 2e-8."""
    rounded: FloatArray = np.rint(vectors.astype(np.float64) / GRID) * GRID
    return rounded


def exact_distances(rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Return one minus the cosine of vectors of length 1 on the grid, shape "row column".

    It is half the square of their difference, u² − 2uv + v². Each step is exact, so it is 0 for a
    vector and itself, never below, and the same for (u, v) and (v, u).

    Parameters
    ----------
    rows, columns
        Shape "vector width".
    """
    found: FloatArray = rows @ columns.T
    found *= -2
    found += np.square(rows).sum(axis=1)[:, None]
    found += np.square(columns).sum(axis=1)
    found /= 2
    return found
