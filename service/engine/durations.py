"""How long requests have taken lately, for Retry-After."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WINDOW = 256


class Durations:
    """The durations of the requests that ended last, waiting and time-outs included.

    Their rate is per second of busy time, in which there was a request: idle time says nothing of
    how fast requests end.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Of each request that ended lately, the busy time until its end, and how long it took.
        self._ended: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        # The busy time until the first of these could end: the end of the one before it.
        self._since = 0.0
        self._inside = 0
        # The busy time until `_turned`, the last time at which one began or ended.
        self._busy = 0.0
        self._turned = 0.0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Note a request, from here to the end of the block, in whatever way it ends."""
        began = self._clock()
        self._turn(1)
        try:
            yield
        finally:
            busy = self._turn(-1)
            if len(self._ended) == WINDOW:
                self._since = self._ended[0][0]
            self._ended.append((busy, self._clock() - began))

    def expected(self, active: int, waiting: int) -> float:
        """Return the seconds after which a request that is refused now would be answered.

        It is the larger of two: the time to end those that are worked on (`active`) or wait, at
        the rate of the last busy time; and the 99th percentile of the last durations.
        One that is worked on counts as half done: it may take as long again.
        """
        busy = self._turn(0)
        ended: float = len(self._ended)
        if ended < WINDOW:
            # In a full window as many were half done at its beginning.
            ended += active / 2
        if not ended:
            # What has lasted so long may last as long again.
            return max(1.0, busy)
        drained = (active / 2 + waiting) * (busy - self._since) / ended
        durations = sorted(seconds for _, seconds in self._ended)
        slow = durations[int(0.99 * (len(durations) - 1))] if durations else 0.0
        return max(drained, slow)

    def _turn(self, more: int) -> float:
        """Note that so many more requests are inside from now on; return the busy time so far."""
        now = self._clock()
        if self._inside:
            self._busy += now - self._turned
        self._turned = now
        self._inside += more
        return self._busy
