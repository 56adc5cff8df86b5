"""How much of what requests cost the service does in a second, by those that ended lately."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

# Of a request that was not answered so much was done, at most, or of one that is worked on: what
# has taken so long may take as long again.
PART_DONE = 0.5
# Of a request that counts so much was new to the model, at least. One that was known but for less
# takes little of the time that its cost stands for, and most of that for something else.
LEAST_COMPUTED = 0.25


@dataclass(frozen=True, eq=False)
class Work:
    """A request that is worked on: what it costs, when it began, and which part is computed."""

    cost: float
    began: float
    computed: Callable[[], float]

    @property
    def counts(self) -> bool:
        """Return whether so much is computed of it that its time says something."""
        return self.computed() >= LEAST_COMPUTED


class Throughput:
    """Says how long requests take if nothing else is done, from their costs.

    Only time in which something was computed for a request counts, and only what was computed: an
    answer that is kept takes hardly any time. What is known is forgotten as time passes.

    Parameters
    ----------
    fading_seconds
        In which what was seen fades to about a third.
    """

    def __init__(self, fading_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fading = fading_seconds
        self._clock = clock
        # Seconds with a request that counts, and what was done in them; both fade alike.
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
        """Return whether one that counts has ended, so that it is known how long they take."""
        return self._known

    def begin(self, cost: float, computed: Callable[[], float] = lambda: 1.0) -> Work:
        """Note that a request begins; `end` must follow.

        Parameters
        ----------
        computed
            Returns which part of it had to be computed until now: 0 while nothing had.
        """
        self._turn()
        work = Work(cost, self._turned, computed)
        self._under_way[work] = None
        return work

    def end(self, work: Work, *, answered: bool) -> None:
        """Note that a request has ended."""
        self._turn()
        counting = [one for one in self._under_way if one.counts]
        del self._under_way[work]
        if work not in counting:
            return
        parts = {one: self._part(one, len(counting)) for one in counting}
        if answered:
            parts[work] = work.computed() * work.cost
        self._done += self._faded(work, parts.pop(work))
        # It is only known anew when one ends: else all seem slower the longer they take.
        done = self._done + sum(self._faded(one, part) for one, part in parts.items())
        self._seconds_of_cost = self._busy / done if done else 0.0
        self._known = True

    def seconds(self, cost: float) -> float:
        """Return the seconds that a cost takes alone; 0 where nothing is known yet."""
        return self._seconds_of_cost * cost

    def _part(self, work: Work, together: int) -> float:
        """Return what was done of one of so many that have equal shares, and is not answered."""
        most = PART_DONE * work.computed() * work.cost
        if not self._seconds_of_cost:
            return most
        share = (self._turned - work.began) / together
        return min(most, share / self._seconds_of_cost)

    def _faded(self, work: Work, done: float) -> float:
        """Return what is left now of what was done evenly since a request began."""
        taken = (self._turned - work.began) / self._fading
        return done * -math.expm1(-taken) / taken if taken else done

    def _turn(self) -> None:
        """Count the time until now, if there is a request that counts."""
        now = self._clock()
        if any(one.counts for one in self._under_way):
            kept = math.exp(-(now - self._turned) / self._fading)
            # As if the new seconds came one by one, each fading from then on.
            self._busy = kept * self._busy + self._fading * (1 - kept)
            self._done *= kept
        self._turned = now
