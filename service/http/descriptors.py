"""The log lines of a process that has, or will have, no file descriptors left for connections."""

import asyncio
import errno
import logging
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

# asyncio tries to accept thousands of times a second, and would log each with its traceback.
SILENCE_SECONDS = 60.0
USED_UP = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

# Files that requests open besides their connections: images that are fetched, a model's servers.
OF_REQUESTS = 64
_OPEN_FILES = Path("/proc/self/fd")


def warn_of_few(max_connections: int) -> None:
    """Log if the system lets this process open fewer files than its connections would be.

    Those beyond would wait to be accepted, and none that is idle would be closed for them.
    """
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    own = OF_REQUESTS + (sum(1 for _ in _OPEN_FILES.iterdir()) if _OPEN_FILES.is_dir() else 0)
    needed = max_connections + own
    if allowed != resource.RLIM_INFINITY and needed > allowed:
        logger.warning(
            "max_connections is %d, and the system lets this process open %d files, of which some "
            "%d are for other things; connections beyond %d will wait: raise the limit of open "
            "files to %d (ulimit -n), or lower TRAJSIM_MAX_CONNECTIONS",
            max_connections,
            allowed,
            own,
            max(allowed - own, 0),
            needed,
        )


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
