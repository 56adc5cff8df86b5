"""How long calls of the model take, measured as they are made, and how large one may be."""

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import combinations

import numpy as np

from service.engine.cache import Stage
from similarity.arrays import FloatArray

# Calls of a stage that are remembered.
WINDOW = 64
# However slow the model is, a call has so many tokens: fewer would take hardly less time.
LEAST_TOKENS = 256
# Times the largest remembered call, that the next one may have.
GROWTH = 2.0
# Mean squared relative errors that are no farther apart are the same.
_SAME = 1e-9


class Pace:
    """Says how many tokens a call may have, so that what grows with them takes `seconds`.

    Parameters
    ----------
    seconds
        That the tokens of one call are expected to take, at most.
    most_tokens
        Of one call, however fast the model is.
    """

    def __init__(self, seconds: float, most_tokens: int) -> None:
        self.seconds = seconds
        self._most = most_tokens
        # Of each call: tokens, steps and seconds.
        self._calls: dict[Stage, deque[tuple[float, float, float]]] = {}
        self._lock = threading.Lock()

    def note(self, stage: Stage, steps: int, tokens: int, seconds: float) -> None:
        """Note how long a call took, of so many tokens and steps one after the other."""
        with self._lock:
            calls = self._calls.setdefault(stage, deque(maxlen=WINDOW))
            calls.append((tokens, steps, max(seconds, 1e-6)))

    def tokens(self, stage: Stage) -> int:
        """Return how many tokens the next call of a stage may have."""
        with self._lock:
            calls = np.array(self._calls.get(stage, ()), dtype=float)
        if not len(calls):
            return min(4 * LEAST_TOKENS, self._most)
        cost = seconds_of_token(calls)
        fitting = self.seconds / cost if cost > 0 else self._most
        # Where chance hides what tokens cost, the next call must not be the largest at once.
        known = GROWTH * calls[:, 0].max()
        return int(min(self._most, max(LEAST_TOKENS, min(fitting, known))))


class Turn:
    """How long a call of the model has taken, without what it lent to others between its steps."""

    def __init__(self) -> None:
        self._began = self._since = time.monotonic()
        self._lent = 0.0

    @property
    def seconds(self) -> float:
        """Return the seconds since its beginning, or since it lent last."""
        return time.monotonic() - self._since

    @property
    def total(self) -> float:
        """Return the seconds since its beginning, without what it lent."""
        return time.monotonic() - self._began - self._lent

    def lend(self, work: Callable[[], None]) -> None:
        """Do work for others."""
        began = time.monotonic()
        try:
            work()
        finally:
            self._since = time.monotonic()
            self._lent += self._since - began


def seconds_of_token(calls: FloatArray) -> float:
    """Return b of seconds = a + b · tokens + c · steps, all at least 0, fitted to calls.

    Parameters
    ----------
    calls
        Shape "call value=3": tokens, steps and seconds.

    A smaller call saves what grows with the tokens alone. The steps of sampling and the way to a
    server and back take their time however few the tokens are. Where the calls cannot tell these
    apart, all is taken for the tokens' cost. Calls count by their relative error.
    """
    tokens, steps, seconds = calls.T
    terms = np.column_stack([tokens, steps, np.ones_like(tokens)]) / seconds[:, None]
    scale = terms.max(axis=0)
    return float(nonnegative_fit(terms / scale)[0] / scale[0])


def nonnegative_fit(terms: FloatArray) -> FloatArray:
    """Return weights of terms, "call term", all at least 0, whose sums are nearest to 1.

    Where several are as near, those of fewer and of earlier terms. Of so few terms each choice
    can be tried; what SciPy has for it costs the service a tenth of its memory.
    """
    count = terms.shape[1]
    products, sums = terms.T @ terms, terms.sum(axis=0)
    best, least = np.zeros(count), np.inf
    for size in range(1, count + 1):
        for chosen in map(list, combinations(range(count), size)):
            square = products[np.ix_(chosen, chosen)]
            weights = np.linalg.lstsq(square, sums[chosen], rcond=None)[0]
            error = float(weights @ square @ weights - 2 * weights @ sums[chosen]) / len(terms)
            if weights.min() >= 0 and error < least - _SAME:
                best, least = np.zeros(count), error
                best[chosen] = weights
    return best
