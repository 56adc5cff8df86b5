"""The log lines of a process that has, or will have, no file descriptors left for connections."""

import asyncio
import errno
import logging
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

logger = logging.getLogger(__name__)

# asyncio tries to accept thousands of times a second, and would log each with its traceback.
SILENCE_SECONDS = 60.0
USED_UP = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

# Files that requests open besides their connections: images that are fetched, a model's servers.
OF_REQUESTS = 64
# Connections beyond those that are served, where the files suffice.
OF_REFUSALS = 256
_OPEN_FILES = Path("/proc/self/fd")


class Connections(NamedTuple):
    """How many connections are held at once."""

    served: int
    # Beyond those, until their requests have come and are refused.
    told: int


def connections_that_fit(wanted: int) -> Connections:
    """Return how many connections are taken at once: those wanted, if so many files may be open.

    The limit of open files is raised for them as far as the system lets this process. Connections
    beyond what fits would wait to be accepted, and none that is idle would be closed for them.
    """
    own = sum(1 for _ in _OPEN_FILES.iterdir()) if _OPEN_FILES.is_dir() else 0
    allowed = _raised(own + OF_REQUESTS + OF_REFUSALS + wanted)
    free = max(allowed - own, 0)
    fitting = max(free - min(OF_REQUESTS, free // 2), 1)
    if fitting < wanted:
        logger.warning(
            "max_connections is %d, and the system lets this process open %d files, of which some "
            "%d are for other things; %d connections are held at once: raise the limit of open "
            "files to %d (ulimit -n), or lower TRAJSIM_MAX_CONNECTIONS",
            wanted,
            allowed,
            allowed - fitting,
            fitting,
            own + OF_REQUESTS + wanted,
        )
    served = min(wanted, fitting)
    return Connections(served, min(OF_REFUSALS, max(free - served, 0) // 2))


def _raised(needed: int) -> int:
    """Return how many files may be open, once the limit is raised to what is needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return needed if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # some systems have another limit besides
        return soft
    return most


class AcceptFailures:
    """Handles errors of a loop's callbacks, and logs in one line that connections must wait.

    Those wait until others are closed, and are answered then. asyncio logs all other errors.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent_until = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what happened, as `loop.set_exception_handler` has it."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in USED_UP or "socket" not in context:
            loop.default_exception_handler(context)
            return
        if self._clock() >= self._silent_until:
            self._silent_until = self._clock() + SILENCE_SECONDS
            logger.error(
                "new connections wait, as the system has no more for them (%s); raise the limit "
                "of open files (ulimit -n), or close connections that are idle",
                error.strerror,
            )
