"""Connections at once: those that have waited make room for others; one that finds none is told."""

import asyncio
import logging
import time
from asyncio import TimerHandle
from collections.abc import Callable
from typing import Protocol

from service.http.problems import Problem

logger = logging.getLogger(__name__)

# After which one whose request, or the rest of it, has not come may be closed for another. What is
# on its way comes sooner.
WAIT_SECONDS = 1.0
SILENCE_SECONDS = 60.0
TOO_MANY = Problem(
    503,
    "server_error",
    "too_many_connections",
    "the service has as many connections as it takes; send it again later",
    retry_after=1.0,
)


class Member(Protocol):
    """A connection that was let in."""

    def make_room(self) -> None:
        """Close it at once, as another has its place."""


class Crowd:
    """The connections that are let in, and those of them that have waited for a request.

    Parameters
    ----------
    most
        Are let in at once.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._members: set[Member] = set()
        # Until they have waited; and those that have: the longest first.
        self._timers: dict[Member, TimerHandle] = {}
        self._waiting: dict[Member, None] = {}
        self._untold = 0
        self._silent_until = float("-inf")

    def let_in(self, one: Member) -> bool:
        """Return whether there is room for one, if need be that of one that has waited."""
        if len(self._members) >= self._most:
            self._tell()
            longest = next(iter(self._waiting), None)
            if longest is None:
                return False
            self.leave(longest)
            longest.make_room()
        self._members.add(one)
        return True

    def wait(self, one: Member) -> None:
        """Have the time begin for which one waits for a request, or for its rest.

        It ends in a timer: the loop reads first what has come by then, also where the process stood
        still all the time. So nobody waits whose request only waits to be read.
        """
        self.stop_waiting(one)
        if one in self._members:
            loop = asyncio.get_running_loop()
            self._timers[one] = loop.call_later(WAIT_SECONDS, self._has_waited, one)

    def stop_waiting(self, one: Member) -> None:
        """Keep one, as its request has come."""
        self._waiting.pop(one, None)
        if timer := self._timers.pop(one, None):
            timer.cancel()

    def leave(self, one: Member) -> None:
        """Count one no more."""
        self.stop_waiting(one)
        self._members.discard(one)

    def _has_waited(self, one: Member) -> None:
        del self._timers[one]
        self._waiting[one] = None

    def _tell(self) -> None:
        self._untold += 1
        if self._clock() >= self._silent_until:
            self._silent_until = self._clock() + SILENCE_SECONDS
            logger.warning(
                "%d connections are held at once, and there are more; closed or refused since the "
                "last such line: %d; raise TRAJSIM_MAX_CONNECTIONS, or have clients keep fewer "
                "open",
                self._most,
                self._untold,
            )
            self._untold = 0
