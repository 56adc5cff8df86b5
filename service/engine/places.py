"""The places of requests: who is worked on and who waits, and how many of them may be long."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from fractions import Fraction

# Of all places, long requests may have so many: the others are kept for short ones.
SHARE_OF_LONG = Fraction(3, 4)


class Places:
    """Lets requests in, first come first served; a long one that may not begin keeps out no short.

    It is not safe to use from several threads.

    Parameters
    ----------
    active, queued
        Requests that are worked on, and that wait, at most.
    short_cost
        What a short request costs, at most. Where one is worked on at a time, all are short: the
        places of those that wait would help nobody.
    """

    def __init__(self, active: int, queued: int, short_cost: float) -> None:
        self._short_cost = short_cost if active > 1 else float("inf")
        self._active = _Bounded(active)
        self._queued = _Bounded(queued)
        # Those that wait, the first first, and whether each is long.
        self._waiting: dict[asyncio.Event, bool] = {}

    def is_long(self, cost: float) -> bool:
        """Return whether a request is long."""
        return cost > self._short_cost

    def active(self, kinds: Iterable[bool] = (False, True)) -> int:
        """Return how many are worked on, of kinds: short is False, long is True."""
        return self._active.count(kinds)

    def queued(self, kinds: Iterable[bool] = (False, True)) -> int:
        """Return how many wait, of kinds: short is False, long is True."""
        return self._queued.count(kinds)

    @property
    def full(self) -> bool:
        """Return whether no request at all can come now."""
        return not self.takes(long=False)

    def takes(self, *, long: bool) -> bool:
        """Return whether one more can come now: it begins at once, or waits."""
        return self._active.takes(long) or self._queued.takes(long)

    @asynccontextmanager
    async def place(self, *, long: bool) -> AsyncIterator[None]:
        """Wait for a place, and hold it to the end of the block."""
        await self._enter(long)
        try:
            yield
        finally:
            self._leave(long)

    async def _enter(self, long: bool) -> None:
        # Whoever waits could not begin now: nobody of one kind is overtaken.
        if self._active.takes(long):
            self._active.add(long)
            return
        turn = asyncio.Event()
        self._waiting[turn] = long
        self._queued.add(long)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():  # at the moment in which the wait was given up
                self._leave(long)
            else:
                self._stop_waiting(turn)
            raise

    def _leave(self, long: bool) -> None:
        """Give a place back; the first of those that wait and may begin takes it."""
        self._active.remove(long)
        may_begin = (turn for turn, kind in self._waiting.items() if self._active.takes(kind))
        if (turn := next(may_begin, None)) is not None:
            self._active.add(self._stop_waiting(turn))
            turn.set()

    def _stop_waiting(self, turn: asyncio.Event) -> bool:
        long = self._waiting.pop(turn)
        self._queued.remove(long)
        return long


class _Bounded:
    """Counts requests of each kind, short and long, of which there may be so many."""

    def __init__(self, most: int) -> None:
        # A single place is kept for nobody, as long requests would have none.
        self._most = {False: most, True: min(most, max(1, int(SHARE_OF_LONG * most)))}
        self._counts = Counter[bool]()

    def count(self, kinds: Iterable[bool]) -> int:
        return sum(self._counts[kind] for kind in kinds)

    def takes(self, long: bool) -> bool:
        fits = self._counts.total() < self._most[False]
        return fits and not (long and self._counts[long] >= self._most[long])

    def add(self, long: bool) -> None:
        self._counts[long] += 1

    def remove(self, long: bool) -> None:
        self._counts[long] -= 1
