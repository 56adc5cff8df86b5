"""The requests that wait for the model, and which of them are next."""

import math
import time
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from statistics import fmean

from service.engine.pace import Pace
from service.engine.work import Batch, RequestQueue, WorkItem

# Calls by whose time short queues are ahead of long ones, besides the time that they need: the long
# ones differ by a call or two in what they have had.
LEAD_CALLS = 4
# Seconds that they need, at most: the pace may be far off, and each long queue may lose as much.
MOST_NEEDED = 10.0
# Seconds of the model's work in which what a short queue has needed fades to about a third.
FADING_SECONDS = 300.0


class Line:
    """Queues that have items waiting; not safe to use from several threads at once.

    Parameters
    ----------
    pace
        Says how many tokens a call may have, and how long it takes.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._queues: dict[RequestQueue, None] = {}
        # Seconds of the model that were due to a queue which was always here: an equal share, at
        # each time, among those that were here then; at least what the least served one had had.
        # New queues begin there. If they began with the least served one, which may be new itself,
        # one that had more would not be served while new ones come. A lead costs the others no
        # share: each is behind by that once.
        self._clock = 0.0
        # The most that a short queue has needed lately. The lead is the same for all: by a lead of
        # its own, one that needs little would wait where others have put the long ones far behind.
        self._needed = 0.0

    def __len__(self) -> int:
        """Return the number of queues."""
        return len(self._queues)

    @property
    def queues(self) -> list[RequestQueue]:
        """Return the queues."""
        return list(self._queues)

    def add(self, queue: RequestQueue) -> None:
        """Have a queue wait."""
        begin = self._clock
        if not queue.long:
            items = queue.waiting
            needed = sum(self._pace.expected(one.stage, one.steps, one.tokens) for one in items)
            self._needed = max(self._needed, min(needed, MOST_NEEDED))
        elif queue.spent:
            begin -= self._lead
        elif others := [one.served for one in self._queues if one.long]:
            # It need not wait until those have caught up that short ones have put back.
            begin = min(begin, fmean(others))
        queue.served = max(queue.served, begin)
        self._queues[queue] = None

    def remove(self, queue: RequestQueue) -> None:
        """Have a queue wait no more, if it does."""
        self._queues.pop(queue, None)

    def charge(self, batch: Batch, seconds: float, under_way: Iterable[Batch] = ()) -> None:
        """Share the time that a call has taken until now among the queues of its batch.

        All that wait, or are in the calls `under_way`, were due equal shares of it. So was a short
        one if there is none: its share is kept for those that come, up to their lead.
        """
        there = {queue for one in (batch, *under_way) for queue, _ in one}.union(self._queues)
        kept = all(queue.long for queue in there)
        passed = batch.charge(seconds)
        self._clock += passed / (len(there) + kept)
        self._needed *= math.exp(-passed / FADING_SECONDS)

    def standing(self, batch: Batch) -> float:
        """Return the least that a queue of a batch has had, with its lead; the least is next."""
        return min(self._standing(queue) for queue, _ in batch)

    def _standing(self, queue: RequestQueue) -> float:
        return queue.served if queue.long else queue.served - self._lead

    @property
    def _lead(self) -> float:
        return LEAD_CALLS * self._pace.seconds + self._needed

    def take(self, below: float = math.inf, within: float = math.inf) -> Batch:
        """Return the items of the next call, which wait no more; it has none where nobody may.

        The next item is always that of the queue of the least standing among those that may be
        served and whose next item can join.

        Parameters
        ----------
        below
            Of requests of a lesser standing.
        within
            That are expected to take so many seconds together, at most.
        """
        batch, most = Batch(), 0
        # Of each queue that may be next: whether it is urgent, its standing with what is taken
        # here, its place, and itself.
        heap = [
            (not queue.urgent, self._standing(queue), place, queue)
            for place, queue in enumerate(self._queues)
        ]
        heapify(heap)
        while heap:
            _, standing, place, queue = heappop(heap)
            item = queue.waiting[0]
            # Once an item cannot join it never can: the batch only grows.
            if not (batch.can_take(item) and self._may(queue, item, batch, below, within)):
                continue
            if not batch:
                most = self._pace.tokens(item.stage)
                if not queue.urgent:
                    self._clock = max(self._clock, standing)
            elif batch.tokens + item.tokens > most:
                break
            batch.add(queue, queue.waiting.popleft())
            item.began = time.monotonic()
            if queue.waiting:
                standing += self._pace.expected(item.stage, item.steps, item.tokens)
                heappush(heap, (not queue.urgent, standing, place, queue))
            else:
                self.remove(queue)
        return batch

    def _may(
        self, queue: RequestQueue, item: WorkItem, batch: Batch, below: float, within: float
    ) -> bool:
        """Return whether a queue may be served so much that its item joins the batch."""
        if queue.urgent:
            return True
        steps, tokens = max(batch.steps, item.steps), batch.tokens + item.tokens
        return self._standing(queue) < below and (
            within == math.inf or self._pace.expected(item.stage, steps, tokens) <= within
        )
