"""Vectors centred and whitened, so that no few directions rule their cosines.

Hidden states and likelihood features share a mean and a handful of directions that carry little
meaning. Knows nothing of models or texts; one pass, memory width².
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from similarity.arrays import FloatArray
from similarity.errors import ConfigError, InputError, WrongAnswerError

# Single and half precision are taken as they come; all sums are kept in double.
AnyFloats = NDArray[np.floating]

# A direction whose variance is below this part of the largest is rounding, not a direction.
SINGULAR = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Whitening:
    """An affine map: x ↦ (x − mean) · matrix.

    Parameters
    ----------
    mean
        Shape "width".
    matrix
        Shape "width rank", directions of most variance first.
    """

    mean: FloatArray
    matrix: FloatArray

    def apply(self, rows: AnyFloats) -> FloatArray:
        """Return the rows centred and whitened, shape "… rank", from "… width"."""
        whitened: FloatArray = (rows.astype(np.float64) - self.mean) @ self.matrix
        return whitened


class WhiteningFit:
    """Mean and covariance of rows that arrive in batches; the batches leave only rounding.

    Each batch's own mean and scatter are joined to those so far (Chan, Golub and LeVeque 1983),
    which stays exact where the mean is large beside the spread, as in hidden states.
    """

    def __init__(self, width: int) -> None:
        self._rows = 0
        self._mean = np.zeros(width)
        self._scatter = np.zeros((width, width))

    @property
    def width(self) -> int:
        """Return the length of a row."""
        return len(self._mean)

    @property
    def mean(self) -> FloatArray:
        """Return the mean of the rows so far, shape "width"."""
        return self._mean.copy()

    @property
    def rows(self) -> int:
        """Return how many rows were added."""
        return self._rows

    @property
    def spread(self) -> float:
        """Return how far rows lie from their mean, in parts of their size: 0 to 1.

        Both are roots of mean squares over the rows. It is 0 where all rows are zero, or equal.
        """
        scatter = float(np.trace(self._scatter)) / max(1, self._rows)
        size = float(self._mean @ self._mean) + scatter
        return math.sqrt(scatter / size) if size > 0 else 0.0

    def through(self, matrix: FloatArray) -> "WhiteningFit":
        """Return the fit of the same rows times a matrix of shape "width other"."""
        found = WhiteningFit(matrix.shape[1])
        found._rows, found._mean = self._rows, self._mean @ matrix
        found._scatter = matrix.T @ self._scatter @ matrix
        return found

    def add(self, rows: AnyFloats) -> Self:
        """Take in rows, shape "row width".

        Raises
        ------
        InputError
            If they are of another width.
        WrongAnswerError
            If a number is not finite.
        """
        if rows.ndim != 2 or rows.shape[1] != self.width:
            raise InputError(
                f"rows to whiten must have shape (any, {self.width}), got {rows.shape}"
            )
        if not np.isfinite(rows).all():
            raise WrongAnswerError("rows to whiten are not finite; use another dtype or model")
        if len(rows):
            self._join(rows.astype(np.float64))
        return self

    def fit(self, shrinkage: float, rank: int | None = None) -> Whitening:
        """Return the map that whitens the rows added so far.

        With C the covariance over the n rows (divided by n), d the width, and
        C = V diag(c) Vᵀ, c descending, the spectrum is shrunk towards a multiple of the identity,

            S = (1 − λ) C + λ (tr C / d) I = V diag(s) Vᵀ,   s = (1 − λ) c + λ · mean(c),

        and the matrix is the first `rank` columns of V diag(s)^(−½). With λ = 0 the covariance
        of the rows becomes the identity. With λ = 1 rows are only centred, turned and scaled, which
        no cosine sees at full rank. Between, no direction is stretched by more than
        (λ · mean(c))^(−½).

        Parameters
        ----------
        shrinkage
            λ, in [0, 1] (Ledoit and Wolf 2004, with λ given rather than estimated).
        rank
            Directions kept, of most variance first; None keeps all.

        Raises
        ------
        ConfigError
            If a setting is out of range, or the rows leave a kept direction without variance.
        InputError
            If there are fewer than two rows, or they are all the same.
        """
        lower = "" if rank is None else " or lower the rank"
        rank = self.width if rank is None else rank
        self._check(shrinkage, rank)
        variances, directions = np.linalg.eigh(self._scatter / self._rows)
        variances = np.maximum(variances[::-1], 0)  # rounding may take them below
        if variances[0] <= np.finfo(float).eps * (self._mean @ self._mean):
            raise InputError(
                f"the {self._rows} texts are all the same to the model; give different ones"
            )
        shrunk = ((1 - shrinkage) * variances + shrinkage * variances.mean())[:rank]
        if shrunk[-1] <= SINGULAR * shrunk[0]:
            raise ConfigError(
                f"{self._rows} texts do not vary in {rank} directions, as a shrinkage of "
                f"{shrinkage:g} needs; raise the shrinkage{lower}"
            )
        kept = _with_fixed_signs(directions[:, ::-1][:, :rank])
        return Whitening(mean=self._mean.copy(), matrix=kept / np.sqrt(shrunk))

    def _join(self, rows: FloatArray) -> None:
        mean = rows.mean(axis=0)
        centred, shift = rows - mean, mean - self._mean
        total = self._rows + len(rows)
        between = self._rows * len(rows) / total
        self._scatter += centred.T @ centred + between * np.outer(shift, shift)
        self._mean += shift * (len(rows) / total)
        self._rows = total

    def _check(self, shrinkage: float, rank: int) -> None:
        if not 0 <= shrinkage <= 1:
            raise ConfigError(f"shrinkage must be between 0 and 1, got {shrinkage}")
        if not 1 <= rank <= self.width:
            raise ConfigError(f"rank must be between 1 and {self.width}, got {rank}")
        if self._rows < 2:
            raise InputError(f"whitening needs two rows or more, got {self._rows}")


def cosines(first: AnyFloats, second: AnyFloats) -> FloatArray:
    """Return the cosine of each row with its fellow, shape "…" from "… width"; 0 for a zero row."""
    a, b = unit(first), unit(second)
    products: FloatArray = np.einsum("...i,...i->...", a, b)
    return products


def unit(rows: AnyFloats) -> FloatArray:
    """Return the rows at length 1, along the last axis; a row of zeros stays."""
    rows = rows.astype(np.float64)
    # By a power of two, which changes no digit: squares of the largest and smallest have no float.
    _, exponents = np.frexp(np.abs(rows).max(axis=-1, keepdims=True, initial=0))
    rows = np.ldexp(rows, -exponents)
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: FloatArray = rows / np.where(norms == 0, 1, norms)
    return scaled


def _with_fixed_signs(directions: FloatArray) -> FloatArray:
    """Turn each column so that its largest entry is positive: eigenvectors have no sign."""
    largest = np.abs(directions).argmax(axis=0, keepdims=True)
    signed: FloatArray = directions * np.sign(np.take_along_axis(directions, largest, axis=0))
    return signed
