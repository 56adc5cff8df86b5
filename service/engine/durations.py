"""How long requests have taken lately, for Retry-After."""

import time
from collections import deque
from collections.abc import Callable

WINDOW = 256


class Durations:
    """The durations of the requests that ended last, waiting and time-outs included."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ended: deque[tuple[float, float]] = deque(maxlen=WINDOW)

    def add(self, seconds: float) -> None:
        """Note a request that has ended now and took so long."""
        self._ended.append((self._clock(), seconds))

    def expected(self, inside: int) -> float:
        """Return the seconds after which a request that is refused now would be answered.

        It is the larger of two: the time to end the `inside` requests that are worked on or wait,
        at the present rate; and the 99th percentile of the last durations.
        """
        if not self._ended:
            return 1.0
        since, first = self._ended[0]
        # The first of the window counts from its beginning, so that one alone has a rate.
        elapsed = max(self._clock() - since + first, 1e-3)
        drained = inside * elapsed / len(self._ended)
        durations = sorted(seconds for _, seconds in self._ended)
        return max(drained, durations[int(0.99 * (len(durations) - 1))])
