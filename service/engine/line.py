"""The requests that wait for the model, and which of them are next."""

import math
import time
from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from service.engine.pace import Pace
from service.engine.work import Batch, RequestQueue, WorkItem

# Calls by whose time a queue is ahead as it comes. Those that were always here differ by a call
# or two in what they have had, so without a lead a new one waits for about half of them.
LEAD_CALLS = 4


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
        # New queues begin a lead before it. If they began with the least served one, which may be
        # new itself, one that had more would not be served while new ones come. A lead that is the
        # same for all costs the others no share: each is behind by that once.
        self._clock = 0.0
        self._lead = LEAD_CALLS * pace.seconds

    def __len__(self) -> int:
        """Return the number of queues."""
        return len(self._queues)

    @property
    def queues(self) -> list[RequestQueue]:
        """Return the queues."""
        return list(self._queues)

    def add(self, queue: RequestQueue) -> None:
        """Have a queue wait."""
        queue.served = max(queue.served, self._clock - self._lead)
        self._queues[queue] = None

    def remove(self, queue: RequestQueue) -> None:
        """Have a queue wait no more, if it does."""
        self._queues.pop(queue, None)

    def charge(self, batch: Batch, seconds: float, under_way: Iterable[Batch] = ()) -> None:
        """Share the time that a call has taken until now among the queues of its batch.

        All that wait, or are in the calls `under_way`, were due equal shares of it.
        """
        there = {queue for one in (batch, *under_way) for queue, _ in one}
        self._clock += batch.charge(seconds) / len(there.union(self._queues))

    def take(self, below: float = math.inf, within: float = math.inf) -> Batch:
        """Return the items of the next call, which wait no more; it has none where nobody may.

        The next item is always that of the least served queue among those that may be served and
        whose next item can join.

        Parameters
        ----------
        below
            Of requests that were served fewer seconds.
        within
            That are expected to take so many seconds together, at most.
        """
        batch, most = Batch(), 0
        # Of each queue that may be next: whether it is urgent, what it has had with what is taken
        # here, its place, itself, and the seconds that are taken here.
        heap = [
            (not queue.urgent, queue.served, place, queue, 0.0)
            for place, queue in enumerate(self._queues)
        ]
        heapify(heap)
        while heap:
            _, _, place, queue, planned = heappop(heap)
            item = queue.waiting[0]
            # Once an item cannot join it never can: the batch only grows.
            if not (batch.can_take(item) and self._may(queue, item, batch, below, within)):
                continue
            if not batch:
                most = self._pace.tokens(item.stage)
                if not queue.urgent:
                    self._clock = max(self._clock, queue.served)
            elif batch.tokens + item.tokens > most:
                break
            batch.add(queue, queue.waiting.popleft())
            item.began = time.monotonic()
            if queue.waiting:
                planned += self._pace.expected(item.stage, item.steps, item.tokens)
                heappush(heap, (not queue.urgent, queue.served + planned, place, queue, planned))
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
        return queue.served < below and (
            within == math.inf or self._pace.expected(item.stage, steps, tokens) <= within
        )
