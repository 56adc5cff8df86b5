"""Joins the work of concurrent requests into calls of the model: micro-batching, in one thread.

The invariant: every item is in exactly one place. It waits in its queue, or it is in the call being
made, or its future is done. A queue that is cancelled is empty at once and all its futures are
done; what a running call still finds for it goes to the cache alone.
"""

import logging
import math
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import InvalidStateError
from contextlib import suppress
from typing import Protocol

from service.engine.answering import Answering
from service.engine.cache import Answer, Cache, Stage
from service.engine.exceptions import AWAY
from service.engine.pace import Pace, Turn
from service.engine.work import (
    Batch,
    RequestQueue,
    WorkItem,
)
from service.logs import places
from similarity.errors import BackendUnavailableError
from similarity.models.base import LanguageModel
from similarity.vectors.meaning import MeaningVectors

logger = logging.getLogger(__name__)

# Calls that are made between two steps of others, one inside the other.
MOST_NESTED = 4


class AbandonedError(Exception):
    """Nobody waits any more for the answers of a call: it is ended."""


class Observer(Protocol):
    """Follows every call of the model."""

    def call_began(self) -> None:
        """Note that a call of the model begins."""

    def call_ended(self, stage: Stage, items: int, tokens: int, error: Exception | None) -> None:
        """Note how a call has ended; `items` is the number of parts joined in it."""


class Scheduler:
    """Makes the calls of one model, fair between queues, each of a bounded number of tokens.

    Parameters
    ----------
    pace
        Says how many tokens a call may have; a single item that has more goes alone.
    vectors
        What gives meaning vectors; without it no item may ask for them.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        pace: Pace,
        cache: Cache,
        observer: Observer,
        vectors: MeaningVectors | None = None,
    ) -> None:
        self._answering = Answering(model, vectors)
        self._pace = pace
        self._cache = cache
        self._observer = observer
        self._queues: dict[RequestQueue, None] = {}
        # Those that are served, each between two steps of the one before.
        self._batches: list[Batch] = []
        self._changed = threading.Condition()
        self._end: Exception | None = None
        # What the least served queue had at the last call. New queues begin there, so that they
        # wait neither longer nor shorter than the old ones.
        self._clock = 0.0
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, queue: RequestQueue, items: Sequence[WorkItem]) -> None:
        """Put items in an empty queue; their futures give the answers."""
        with self._changed:
            if (error := queue.error or self._end) is not None:
                _fail(items, error)
                return
            queue.served = max(queue.served, self._clock)
            queue.submitted = items
            queue.waiting.extend(items)
            self._queues[queue] = None
            self._changed.notify()

    def cancel(self, queue: RequestQueue, error: Exception) -> None:
        """Empty a queue; whoever waits for its items gets the error."""
        with self._changed:
            queue.error = queue.error or error
            self._queues.pop(queue, None)
            queue.waiting.clear()
            _fail(queue.submitted, error)

    def cancel_all(self, error: Exception) -> None:
        """Cancel every queue that has items waiting or in the call being made."""
        with self._changed:
            served = [queue for batch in self._batches for queue, _ in batch]
            for queue in dict.fromkeys([*self._queues, *served]):
                self.cancel(queue, error)

    def waiting(self) -> int:
        """Return the number of items in all queues."""
        with self._changed:
            return sum(len(queue.waiting) for queue in self._queues)

    def close(self, patience: float) -> None:
        """End the thread after the call it is in, or give up on it after `patience` seconds."""
        with self._changed:
            self._end = BackendUnavailableError("the service is going down")
            self._changed.notify()
            self.cancel_all(self._end)
        self._thread.join(patience)

    def _run(self) -> None:
        while self._wait():
            self._serve_next(below=math.inf)

    def _wait(self) -> bool:
        """Wait for work; return whether there is some, and this is not the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._end or self._queues)
            return self._end is None

    def _serve_next(self, below: float) -> None:
        """Serve the next batch of requests that were served less than so many tokens, if any."""
        batch = self._take(below)
        if not batch:
            return
        try:
            self._serve(batch)
        except Exception as error:  # whatever happens, nobody may wait for ever
            facts = {"error": type(error).__name__, "at": places(error)}
            logger.error("a batch failed in the scheduler itself", extra=facts)
            _fail((item for _, item in batch), error)
        finally:
            with self._changed:
                self._batches.pop()

    def _take(self, below: float) -> Batch:
        """Return the items of the next call."""
        with self._changed:
            batch = Batch()
            tokens = most = 0
            while (queue := self._next_queue(batch, below)) is not None:
                item = queue.waiting[0]
                if not batch:
                    most = self._pace.tokens(item.stage)
                elif tokens + item.tokens > most:
                    break
                batch.append((queue, queue.waiting.popleft()))
                tokens += item.tokens
                queue.served += item.tokens
                item.began = time.monotonic()
                if not queue.waiting:
                    del self._queues[queue]
            if batch:
                self._batches.append(batch)
            return batch

    def _next_queue(self, batch: Batch, below: float) -> RequestQueue | None:
        """Return the least served queue, of less than so much, whose next item can join."""
        first = batch[0][1] if batch else None
        fitting = [
            queue
            for queue in self._queues
            if (queue.urgent or queue.served < below)
            and (
                first is None
                or (queue.waiting[0].stage, queue.waiting[0].law) == (first.stage, first.law)
            )
        ]
        if not fitting:
            return None
        queue = min(fitting, key=lambda queue: (not queue.urgent, queue.served))
        if first is None and not queue.urgent:
            self._clock = max(self._clock, queue.served)
        return queue

    def _serve(self, batch: Batch) -> None:
        """Answer a batch with one call; where it fails, each queue's part with one of its own.

        So one request cannot fail another, and a dead backend is called only once.
        """
        try:
            self._call([item for _, item in batch])
        except AbandonedError:
            return
        except Exception as error:
            queues = list(dict.fromkeys(queue for queue, _ in batch))
            for queue in queues:
                if len(queues) == 1 or isinstance(error, AWAY):
                    self.cancel(queue, error)
                else:
                    self._serve(Batch(part for part in batch if part[0] is queue))

    def _call(self, items: Sequence[WorkItem]) -> None:
        """Ask the model once, for what the cache has not got since, and hand it out."""
        needed: dict[object, WorkItem] = {}
        for item in items:
            known = self._cache.get(item.stage, item.keys)
            if known is not None:
                _fulfil(item, known)
            if not item.future.done():
                needed.setdefault(item.keys or item, item)
        if not needed:
            return
        found = self._ask(list(needed.values()), for_items=items)
        answers = dict(zip(needed, found, strict=True))
        for name, answer in answers.items():
            self._cache.put(needed[name].stage, needed[name].keys, answer)
        for item in items:
            if (item.keys or item) in answers:
                _fulfil(item, answers[item.keys or item])

    def _ask(self, items: Sequence[WorkItem], for_items: Sequence[WorkItem]) -> Sequence[Answer]:
        """Make one call; end it when none of `for_items` is waited for any more."""
        first = items[0]
        tokens = sum(item.tokens for item in items)
        problem: Exception | None = None

        turn = Turn()

        def between_steps(_finished: int) -> None:
            if all(item.future.done() for item in for_items):
                raise AbandonedError
            if turn.seconds > self._pace.seconds:
                turn.lend(self._serve_less_served)

        self._observer.call_began()
        try:
            requests = [item.request for item in items]
            answers = self._answering.answers(requests, first.law, between_steps)
            steps = max(item.steps for item in items)
            self._pace.note(first.stage, steps, tokens, turn.total)
            return answers
        except Exception as error:
            problem = error
            raise
        finally:
            self._observer.call_ended(first.stage, len(items), tokens, problem)

    def _serve_less_served(self) -> None:
        """Serve requests that were served less than those of the call under way, between its steps.

        Sampling takes its time for each step, however few its tokens are: that alone would have
        the others wait for seconds.
        """
        if threading.current_thread() is not self._thread or len(self._batches) > MOST_NESTED:
            return
        self._serve_next(below=min(queue.served for queue, _ in self._batches[-1]))


def _fail(items: Iterable[WorkItem], error: Exception) -> None:
    for item in items:
        # A cancel and the end of a call may happen at once; whichever is first holds.
        with suppress(InvalidStateError):
            item.future.set_exception(error)


def _fulfil(item: WorkItem, answer: Answer) -> None:
    with suppress(InvalidStateError):
        item.future.set_result(answer)
