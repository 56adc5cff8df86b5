"""How far two scorings of the same tokens are apart, and how far rounding may move them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from similarity.arrays import LogProbs

# Nats per token by which two scorings may differ in the long run. Half precision in batches of
# other sizes differs by less; stale or misplaced numbers by far more.
TOLERANCE = 0.05
# A mean over few tokens moves more: by so many parts of itself over the root of their number. By
# the concentration of Lipschitz functions, normal noise of TOLERANCE passes that in one of five
# million looks at most, however many tokens there are. Other noise: docs/log.md.
SPREAD = 7.0
# Nats per token, below which rounding is the first thing to think of; or twice what is allowed.
LIKE_ROUNDING = 0.3
# What to do then, if it is rounding.
PRECISION = "if it is rounding that moves from call to call, take another dtype, or no quantization"


@dataclass(frozen=True)
class Gap:
    """The mean difference of two scorings of some tokens.

    Parameters
    ----------
    mean
        Of the differences without sign, nats per token.
    tokens
        How many were compared.
    """

    mean: float
    tokens: int

    @classmethod
    def between(cls, first: LogProbs, second: LogProbs) -> "Gap":
        """Return the gap of two scorings, each of shape "token" in nats."""
        gaps = np.abs(np.asarray(first) - second)
        return cls(float(gaps.mean()), gaps.size)

    @property
    def allowed(self) -> float:
        """Return the largest mean that rounding explains, nats per token."""
        return TOLERANCE * (1.0 + SPREAD / math.sqrt(self.tokens))

    @property
    def excess(self) -> float:
        """Return the gap in parts of what is allowed."""
        return self.mean / self.allowed

    @property
    def is_rounding(self) -> bool:
        """Return whether rounding explains it; never where a number is NaN."""
        return self.mean <= self.allowed

    @property
    def is_small(self) -> bool:
        """Return whether it is of the order of rounding, though more than is allowed."""
        return self.mean < max(LIKE_ROUNDING, 2 * self.allowed)

    def __str__(self) -> str:
        """Return the gap in words."""
        noun = "token" if self.tokens == 1 else "tokens"
        return f"{self.mean:.2g} nats per token over {self.tokens} {noun}"

    def advice(self, otherwise: str) -> str:
        """Return what is allowed and what to do: about precision first, where the gap is small.

        Parameters
        ----------
        otherwise
            What to do where it is not precision.
        """
        first = f"{PRECISION}; else " if self.is_small else ""
        return f"{self.allowed:.2g} are allowed; {first}{otherwise}"


def worst_gap(first: Sequence[Sequence[LogProbs]], second: Sequence[Sequence[LogProbs]]) -> Gap:
    """Return the gap that exceeds what is allowed most: of one continuation, or of all together.

    A fault of one continuation is seen in it alone, and a small one of many in all of them.
    """
    pairs = [
        (a, b)
        for row, other in zip(first, second, strict=True)
        for a, b in zip(row, other, strict=True)
    ]
    firsts, seconds = zip(*pairs, strict=True)
    together = Gap.between(np.concatenate(firsts), np.concatenate(seconds))
    gaps = [together, *(Gap.between(a, b) for a, b in pairs)]
    return next((gap for gap in gaps if np.isnan(gap.mean)), max(gaps, key=lambda gap: gap.excess))
