"""The requests that wait for the model, and which of them are next."""

import math
import time

from service.engine.pace import Pace
from service.engine.work import Batch, RequestQueue, WorkItem


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
        # What the least served queue had at the last call. New queues begin there, so that they
        # wait neither longer nor shorter than the old ones.
        self._clock = 0.0

    def __len__(self) -> int:
        """Return the number of queues."""
        return len(self._queues)

    @property
    def queues(self) -> list[RequestQueue]:
        """Return the queues."""
        return list(self._queues)

    def add(self, queue: RequestQueue) -> None:
        """Have a queue wait."""
        queue.served = max(queue.served, self._clock)
        self._queues[queue] = None

    def remove(self, queue: RequestQueue) -> None:
        """Have a queue wait no more, if it does."""
        self._queues.pop(queue, None)

    def take(self, below: float = math.inf, within: float = math.inf) -> Batch:
        """Return the items of the next call, which wait no more; it has none where nobody may.

        Parameters
        ----------
        below
            Of requests that were served fewer seconds.
        within
            That are expected to take so many seconds together, at most.
        """
        batch = Batch()
        # Seconds of each queue's items here, with which it has not been charged yet.
        planned: dict[RequestQueue, float] = {}
        most = 0
        while (queue := self._next(batch, planned, below, within)) is not None:
            item = queue.waiting[0]
            if not batch:
                most = self._pace.tokens(item.stage)
            elif batch.tokens + item.tokens > most:
                break
            batch.add(queue, queue.waiting.popleft())
            planned[queue] = planned.get(queue, 0.0) + self._expected(Batch(), item)
            item.began = time.monotonic()
            if not queue.waiting:
                self.remove(queue)
        return batch

    def _next(
        self, batch: Batch, planned: dict[RequestQueue, float], below: float, within: float
    ) -> RequestQueue | None:
        """Return the least served queue that may be served, and whose next item can join."""
        fitting = [
            queue
            for queue in self._queues
            if batch.can_take(item := queue.waiting[0])
            and (queue.urgent or (queue.served < below and self._expected(batch, item) <= within))
        ]
        if not fitting:
            return None
        queue = min(
            fitting, key=lambda queue: (not queue.urgent, queue.served + planned.get(queue, 0.0))
        )
        if not batch and not queue.urgent:
            self._clock = max(self._clock, queue.served)
        return queue

    def _expected(self, batch: Batch, item: WorkItem) -> float:
        """Return the seconds that a call is expected to take, with one more item."""
        steps, tokens = max(batch.steps, item.steps), batch.tokens + item.tokens
        return self._pace.expected(item.stage, steps, tokens)
