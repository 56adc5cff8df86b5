"""How long calls of the model take, measured as they are made, and how large one may be."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
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
# A call of unknown pace takes so many times what one under way has taken a token until now.
UNKNOWN = 4.0
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
        self._costs: dict[Stage, Costs] = {}
        # Calls that are being made, the innermost last, and their tokens.
        self._begun: dict[Stage, list[tuple[Turn, int]]] = {}
        self._lock = threading.Lock()

    def begin(self, stage: Stage, steps: int, tokens: int) -> "Turn":
        """Note that a call begins; `end` must follow."""
        turn = Turn(self.expected(stage, steps, tokens))
        with self._lock:
            self._begun.setdefault(stage, []).append((turn, tokens))
        return turn

    def end(self, stage: Stage) -> None:
        """Note that the call of a stage that began last is over, however it ended."""
        with self._lock:
            self._begun[stage].pop()

    def note(self, stage: Stage, steps: int, tokens: int, seconds: float) -> None:
        """Note how long a call took, of so many tokens and steps one after the other."""
        with self._lock:
            calls = self._calls.setdefault(stage, deque(maxlen=WINDOW))
            calls.append((tokens, steps, max(seconds, 1e-6)))
            self._costs.pop(stage, None)

    def note_given_up(self, stage: Stage, steps: int, tokens: int, seconds: float) -> None:
        """Note how long a call took until it was given up: it would have taken longer.

        So only what exceeds the expected is news. Of less than a turn nothing is learnt.
        """
        costs = self._known(stage)
        expected = 0.0 if costs is None else costs.seconds(steps, tokens)
        if seconds > max(self.seconds, expected):
            self.note(stage, steps, tokens, seconds)

    def tokens(self, stage: Stage) -> int:
        """Return how many tokens the next call of a stage may have."""
        costs = self._known(stage)
        if costs is None:
            return min(4 * LEAST_TOKENS, self._most)
        fitting = self.seconds / costs.token if costs.token > 0 else self._most
        # Where chance hides what tokens cost, the next call must not be the largest at once.
        known = GROWTH * costs.most_tokens
        return int(min(self._most, max(LEAST_TOKENS, min(fitting, known))))

    def expected(self, stage: Stage, steps: int, tokens: int) -> float:
        """Return the seconds that a call is expected to take; 0 where nothing is known yet.

        Of a stage whose first call has not ended it is known how long that one has taken. Without
        this each of many long calls would be let in between the steps of the one before.
        """
        costs = self._known(stage)
        if costs is not None:
            return costs.seconds(steps, tokens)
        with self._lock:
            begun = self._begun.get(stage)
            if not begun:
                return 0.0
            turn, of_tokens = begun[-1]
            return UNKNOWN * turn.total * tokens / max(of_tokens, 1)

    def _known(self, stage: Stage) -> "Costs | None":
        with self._lock:
            if stage in self._calls and stage not in self._costs:
                self._costs[stage] = fitted_costs(np.array(self._calls[stage], dtype=float))
            return self._costs.get(stage)


class Turn:
    """How long a call of the model has taken, without what it lent to others between its steps.

    Parameters
    ----------
    expected
        Seconds that it is expected to take.
    """

    def __init__(self, expected: float) -> None:
        self._began = self._since = time.monotonic()
        self._expected = expected
        self._lent = 0.0
        self._lends = False

    @property
    def seconds(self) -> float:
        """Return the seconds since its beginning, or since it lent last."""
        return time.monotonic() - self._since

    @property
    def total(self) -> float:
        """Return the seconds since its beginning, without what it lent."""
        now = self._since if self._lends else time.monotonic()
        return now - self._began - self._lent

    @property
    def left(self) -> float:
        """Return the seconds that it may go on; what has taken too long may take as long again."""
        total = self.total
        return self._expected - total if total < self._expected else total

    def lend(self, work: Callable[[], None]) -> None:
        """Do work for others."""
        began = self._since = time.monotonic()
        self._lends = True
        try:
            work()
        finally:
            self._since = time.monotonic()
            self._lent += self._since - began
            self._lends = False


@dataclass(frozen=True)
class Costs:
    """What calls of a stage take: seconds of each token and step, and of a call besides.

    `most_tokens` is of the largest call that they are known from.
    """

    token: float
    step: float
    call: float
    most_tokens: float

    def seconds(self, steps: int, tokens: int) -> float:
        """Return what a call takes."""
        return self.call + self.step * steps + self.token * tokens


def fitted_costs(calls: FloatArray) -> Costs:
    """Return the costs, all at least 0, that fit calls best.

    Parameters
    ----------
    calls
        Shape "call value=3": tokens, steps and seconds.

    A smaller call saves what grows with the tokens alone. The steps of sampling and the way to a
    server and back take their time however few the tokens are. Where the calls do not separate
    these, all is taken for the tokens' cost. Calls count by their relative error.
    """
    tokens, steps, seconds = calls.T
    terms = np.column_stack([tokens, steps, np.ones_like(tokens)]) / seconds[:, None]
    scale = terms.max(axis=0)
    # Features that are read of the text itself take no tokens of the model.
    scale[scale == 0] = 1
    token, step, call = nonnegative_fit(terms / scale) / scale
    return Costs(float(token), float(step), float(call), float(tokens.max()))


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
