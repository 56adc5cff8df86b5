"""Whether a thread computes, by the processor time that it uses."""

import threading
import time
from collections.abc import Callable

# Seconds of processor time that show work: to wait for a server takes none, or microseconds.
LEAST_WORK = 0.005


def processor_time() -> Callable[[], float]:
    """Return a function that gives the processor time of the thread that calls this, in seconds.

    Any thread may call it. It always gives 0 on systems that do not count single threads.
    """
    if not hasattr(time, "pthread_getcpuclockid"):
        return lambda: 0.0
    # The clock is found here, in the thread itself: for an ended thread that is undefined.
    clock = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(clock)


class Exertion:
    """Notes when a thread was last seen to have worked.

    Parameters
    ----------
    used
        Returns the thread's processor time in seconds.
    now
        The time at which this is made, in seconds.
    """

    def __init__(self, used: Callable[[], float], now: float) -> None:
        self._used = used
        self._seen, self._worked = used(), now

    def last_seen(self, now: float) -> float:
        """Return the time at which the thread was last seen to have worked, `now` included."""
        used = self._used()
        if used - self._seen >= LEAST_WORK:
            self._seen, self._worked = used, now
        return self._worked
