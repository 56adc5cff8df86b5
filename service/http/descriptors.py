"""The log line of a process that has no file descriptors left for connections."""

import asyncio
import errno
import logging
import time
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

# asyncio tries to accept thousands of times a second, and would log each with its traceback.
SILENCE_SECONDS = 60.0
USED_UP = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


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
