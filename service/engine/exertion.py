"""Whether a thread computes, by the processor time that it uses."""

import threading
import time
from collections.abc import Callable

# Seconds of processor time that show work: to wait for a server takes none, or microseconds.
LEAST_WORK = 0.005


def processor_time() -> Callable[[], float]:
    """Return what tells the processor time of the thread that calls this, to any thread.

    It tells nothing new on systems that do not count it for single threads.
    """
    if not hasattr(time, "pthread_getcpuclockid"):
        return lambda: 0.0
    # It is asked for here, in the thread itself: to ask for that of an ended one is undefined.
    clock = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(clock)


class Exertion:
    """Tells when a thread was last seen to have worked.

    Parameters
    ----------
    used
        Tells the thread's processor time in seconds.
    now
        When it is made.
    """

    def __init__(self, used: Callable[[], float], now: float) -> None:
        self._used = used
        self._seen, self._worked = used(), now

    def last_seen(self, now: float) -> float:
        """Look whether the thread has worked since it was seen to; return when it was last."""
        used = self._used()
        if used - self._seen >= LEAST_WORK:
            self._seen, self._worked = used, now
        return self._worked
