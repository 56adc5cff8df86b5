"""How much of what requests cost the service does in a second, by those that ended lately."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

# Of a request that was not answered so much was done, at most, or of one that is worked on: what
# has taken so long may take as long again.
PART_DONE = 0.5


@dataclass(frozen=True, eq=False)
class Work:
    """A request that is worked on: what it costs, and when it began."""

    cost: float
    began: float


class Throughput:
    """Says how long requests take if nothing else is done, from their costs.

    Only time in which there was a request counts. What is known is forgotten as time passes.

    Parameters
    ----------
    fading_seconds
        In which what was seen fades to about a third.
    """

    def __init__(self, fading_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fading = fading_seconds
        self._clock = clock
        # Seconds with a request, and what was done in them; both fade alike.
        self._busy = self._done = 0.0
        self._under_way: dict[Work, None] = {}
        self._turned = 0.0
        self._seconds_of_cost = 0.0
        self._known = False

    @property
    def costs(self) -> list[float]:
        """Return what the requests cost that are worked on."""
        return [work.cost for work in self._under_way]

    @property
    def known(self) -> bool:
        """Return whether one has ended, so that it is known how long they take."""
        return self._known

    def begin(self, cost: float) -> Work:
        """Note that a request begins; `end` must follow."""
        self._turn()
        work = Work(cost, self._turned)
        self._under_way[work] = None
        return work

    def end(self, work: Work, *, answered: bool) -> None:
        """Note that a request has ended."""
        self._turn()
        part = work.cost if answered else self._part(work)
        del self._under_way[work]
        self._done += self._faded(work, part)
        # It is only known anew when one ends: else all seem slower the longer they take.
        done = self._done + sum(self._faded(one, self._part(one)) for one in self._under_way)
        self._seconds_of_cost = self._busy / done if done else 0.0
        self._known = True

    def seconds(self, cost: float) -> float:
        """Return the seconds that a cost takes alone; 0 where nothing is known yet."""
        return self._seconds_of_cost * cost

    def _part(self, work: Work) -> float:
        """Return what was done of a request that has had an equal share, and is not answered."""
        most = PART_DONE * work.cost
        if not self._seconds_of_cost:
            return most
        share = (self._turned - work.began) / len(self._under_way)
        return min(most, share / self._seconds_of_cost)

    def _faded(self, work: Work, done: float) -> float:
        """Return what is left now of what was done evenly since a request began."""
        taken = (self._turned - work.began) / self._fading
        return done * -math.expm1(-taken) / taken if taken else done

    def _turn(self) -> None:
        """Count the time until now, if there is a request."""
        now = self._clock()
        if self._under_way:
            kept = math.exp(-(now - self._turned) / self._fading)
            # As if the new seconds came one by one, each fading from then on.
            self._busy = kept * self._busy + self._fading * (1 - kept)
            self._done *= kept
        self._turned = now
