"""The places of requests: who is worked on and who waits, and how many of them may be long."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction

from service.engine.throughput import Throughput, Work

# Of all places, long requests may have so many: the others are kept for short ones.
SHARE_OF_LONG = Fraction(3, 4)
# Of the time that a request has left, what it is expected to need may be so much.
SHARE_OF_TIME = 0.75
# Of long requests so many begin while nothing is known of how long they take.
UNKNOWN = 4


@dataclass(frozen=True)
class Claim:
    """What decides whether a request may begin.

    Parameters
    ----------
    cost
        As `service.engine.costs` counts it.
    end
        By the clock of the places: its deadline.
    computed
        Returns which part of it had to be computed until now, rather than being known before.
    """

    cost: float
    end: float
    computed: Callable[[], float] = lambda: 1.0


class Places:
    """Lets requests in, first come first served; a long one that may not begin keeps out no short.

    Those that are worked on have equal shares of the model. Where there is more work than time, all
    would be late together. So a request begins only if at such a share it would end in time, or if
    no other of its kind is worked on. None that could be answered yet is overtaken by its kind.

    It is not safe to use from several threads.

    Parameters
    ----------
    active, queued
        Requests that are worked on, and that wait, at most.
    short_cost
        What a short request costs, at most. Where one is worked on at a time, all are short: the
        places of those that wait would help nobody.
    fading_seconds
        In which it is forgotten how long requests took.
    """

    def __init__(
        self,
        active: int,
        queued: int,
        short_cost: float,
        fading_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._short_cost = short_cost if active > 1 else float("inf")
        self._active = _Bounded(active)
        self._queued = _Bounded(queued)
        self._clock = clock
        # Of short requests, and of long ones.
        self._throughput = {kind: Throughput(fading_seconds, clock) for kind in (False, True)}
        # Those that wait, the first first.
        self._waiting: dict[asyncio.Future[Work], Claim] = {}

    def is_long(self, cost: float) -> bool:
        """Return whether a request is long."""
        return cost > self._short_cost

    def active(self, kinds: Iterable[bool] = (False, True)) -> int:
        """Return how many are worked on, of kinds: short is False, long is True."""
        return self._active.count(kinds)

    def queued(self, kinds: Iterable[bool] = (False, True)) -> int:
        """Return how many wait, of kinds: short is False, long is True."""
        return self._queued.count(kinds)

    def seconds(self, cost: float) -> float:
        """Return the seconds that a request is expected to take alone; 0 where nothing is known."""
        return self._throughput[self.is_long(cost)].seconds(cost)

    @property
    def full(self) -> bool:
        """Return whether there are as many requests as there may be, of both kinds together."""
        return not (self._active.takes(long=False) or self._queued.takes(long=False))

    def takes(self, claim: Claim) -> bool:
        """Return whether one more can come now: it begins at once, or waits."""
        begins = self._may_begin(claim) and self._is_next(claim)
        return begins or self._queued.takes(self.is_long(claim.cost))

    @asynccontextmanager
    async def place(self, claim: Claim) -> AsyncIterator[None]:
        """Wait for a place, and hold it to the end of the block; it was answered if none raises."""
        work = await self._enter(claim)
        answered = False
        try:
            yield
            answered = True
        finally:
            self._leave(work, answered=answered)

    def _may_begin(self, claim: Claim) -> bool:
        """Return whether there is a place, and time enough or nobody else who needs it."""
        long = self.is_long(claim.cost)
        free = self._active.takes(long)
        return free and (not self._active.count([long]) or self._would_end(claim))

    def _would_end(self, claim: Claim) -> bool:
        """Return whether a request would end in time, were it to begin now."""
        long = self.is_long(claim.cost)
        throughput = self._throughput[long]
        if not throughput.known:
            return not long or len(throughput.costs) < UNKNOWN
        # Of each of the others as much is done meanwhile, unless it ends before.
        others = sum(min(cost, claim.cost) for cost in throughput.costs)
        return self._has_time(claim, claim.cost + others)

    def _has_time(self, claim: Claim, cost: float) -> bool:
        throughput = self._throughput[self.is_long(claim.cost)]
        return throughput.seconds(cost) <= SHARE_OF_TIME * (claim.end - self._clock())

    def _is_next(self, claim: Claim) -> bool:
        """Return whether nobody of its kind waits who could be answered and came before."""
        long = self.is_long(claim.cost)
        waiting = (one for turn, one in self._waiting.items() if not turn.cancelled())
        alike = (one for one in waiting if self.is_long(one.cost) == long)
        return not any(self._has_time(one, one.cost) for one in alike)

    async def _enter(self, claim: Claim) -> Work:
        if self._may_begin(claim) and self._is_next(claim):
            return self._begin(claim)
        turn: asyncio.Future[Work] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = claim
        self._queued.add(self.is_long(claim.cost))
        try:
            return await turn
        except BaseException:
            if turn.cancelled():
                self._stop_waiting(turn)
                # It may have held back others.
                self._let_in_more()
            else:  # it was let in at the moment in which it was given up
                self._leave(turn.result(), answered=False)
            raise

    def _begin(self, claim: Claim) -> Work:
        long = self.is_long(claim.cost)
        self._active.add(long)
        return self._throughput[long].begin(claim.cost, claim.computed)

    def _leave(self, work: Work, *, answered: bool) -> None:
        """Give a place back."""
        long = self.is_long(work.cost)
        self._active.remove(long)
        self._throughput[long].end(work, answered=answered)
        self._let_in_more()

    def _let_in_more(self) -> None:
        """Have those that wait and may begin now do so, the first first."""
        waiting = [one for one in self._waiting.items() if not one[0].cancelled()]
        # Who could be answered is overtaken by nobody of its kind.
        held = set[bool]()
        for turn, claim in waiting:
            long = self.is_long(claim.cost)
            if long not in held and self._may_begin(claim) and self._would_end(claim):
                self._let_in(turn)
            elif self._has_time(claim, claim.cost):
                held.add(long)
        # One is worked on in any case: that which has the most time left.
        for turn, claim in sorted(waiting, key=lambda one: -one[1].end):
            none = not self._active.count([self.is_long(claim.cost)])
            if none and not turn.done() and self._may_begin(claim):
                self._let_in(turn)

    def _let_in(self, turn: asyncio.Future[Work]) -> None:
        turn.set_result(self._begin(self._stop_waiting(turn)))

    def _stop_waiting(self, turn: asyncio.Future[Work]) -> Claim:
        claim = self._waiting.pop(turn)
        self._queued.remove(self.is_long(claim.cost))
        return claim


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
