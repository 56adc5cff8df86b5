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
from service.engine.exceptions import AWAY, LostError, ModelAwayError
from service.engine.line import Line
from service.engine.pace import Pace
from service.engine.work import AbandonedError, Batch, RequestQueue, WorkItem
from service.logs import places
from similarity.models.base import LanguageModel
from similarity.vectors.meaning import MeaningVectors

logger = logging.getLogger(__name__)

# Calls that are made between two steps of others, one inside the other.
MOST_NESTED = 4
# Seconds within which a call follows at once on another.
AT_ONCE_SECONDS = 1.0


class Observer(Protocol):
    """Follows every call of the model."""

    def call_began(self) -> None:
        """Note that a call of the model begins."""

    def call_went_on(self) -> None:
        """Note that a call was seen to go on."""

    def call_ended(self, stage: Stage, items: int, tokens: int, error: Exception | None) -> None:
        """Note how a call has ended; `items` is the number that was joined in it."""


class Scheduler:
    """Makes the calls of one model, fair between queues, each of a bounded number of tokens.

    Parameters
    ----------
    pace
        Says how many tokens a call may have; a single item that has more goes alone.
    vectors
        What gives meaning vectors; without it no item may need them.
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
        self._zero_is_progress = model.zero_is_progress
        self._pace = pace
        self._cache = cache
        self._observer = observer
        self._line = Line(pace)
        # Those that are served, each between two steps of the one before.
        self._batches: list[Batch] = []
        self._changed = threading.Condition()
        self._end: Exception | None = None
        # When the call under way was last seen to go on, and when a call was last given up.
        self._seen, self._given_up = time.monotonic(), -math.inf
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, queue: RequestQueue, items: Sequence[WorkItem]) -> None:
        """Put items in an empty queue; their futures give the answers."""
        with self._changed:
            if (error := queue.error or self._end) is not None:
                _fail(items, error)
                return
            queue.submitted = items
            queue.waiting.extend(items)
            self._line.add(queue)
            self._changed.notify()

    def cancel(self, queue: RequestQueue, error: Exception) -> None:
        """Empty a queue; whoever waits for its items gets the error."""
        with self._changed:
            queue.error = queue.error or error
            self._line.remove(queue)
            queue.waiting.clear()
            _fail(queue.submitted, error)

    def cancel_all(self, error: Exception) -> None:
        """Cancel every queue that has items waiting or in the call being made."""
        with self._changed:
            served = [queue for batch in self._batches for queue, _ in batch]
            for queue in dict.fromkeys([*self._line.queues, *served]):
                self.cancel(queue, error)

    def waiting(self) -> int:
        """Return the number of items in all queues."""
        with self._changed:
            return sum(len(queue.waiting) for queue in self._line.queues)

    def spent(self, queue: RequestQueue) -> float:
        """Return the seconds that the model has worked for a queue, until now."""
        with self._changed:
            return queue.spent + sum(batch.owed(queue) for batch in self._batches)

    @property
    def silent(self) -> float:
        """Return the seconds since a call under way began, or was last seen to go on; 0 if none."""
        with self._changed:
            return time.monotonic() - self._seen if self._batches else 0.0

    @property
    def probing(self) -> bool:
        """Return whether the call under way is for a probe."""
        with self._changed:
            return any(queue.urgent for batch in self._batches for queue, _ in batch)

    def close(self, patience: float) -> None:
        """End the thread after the call it is in, or give up on it after `patience` seconds."""
        with self._changed:
            self._end = ModelAwayError("the service is going down")
            self._changed.notify()
            self.cancel_all(self._end)
        self._thread.join(patience)

    def _run(self) -> None:
        while self._wait():
            try:
                self._serve_next()
            except BaseException as error:  # without this thread all would wait for ever
                facts = {"error": type(error).__name__, "at": places(error)}
                logger.error("the scheduler failed in choosing a batch", extra=facts)
                self.cancel_all(error if isinstance(error, Exception) else LostError())

    def _wait(self) -> bool:
        """Wait for work; return whether there is some, and this is not the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._end or self._line)
            return self._end is None

    def _serve_next(self, below: float = math.inf, within: float = math.inf) -> None:
        """Serve the next batch, if any.

        Parameters
        ----------
        below
            Of requests of a lesser standing in the line.
        within
            Of items that are expected to take so many seconds, at most.
        """
        with self._changed:
            batch = self._line.take(below, within)
            if not batch:
                return
            self._batches.append(batch)
        try:
            self._serve(batch)
        except BaseException as error:  # neither this thread nor a call around this one ends
            facts = {"error": type(error).__name__, "at": places(error)}
            logger.error("a batch failed in the scheduler itself", extra=facts)
        finally:
            with self._changed:
                self._batches.pop()
            # Whatever happens, nobody may wait for ever.
            if lost := [item for item in batch.items if not item.future.done()]:
                counts = {"stage": lost[0].stage, "items": len(lost)}
                logger.error("a batch ended without all of its answers", extra=counts)
                _fail(lost, LostError())

    def _serve(self, batch: Batch) -> None:
        """Answer a batch with one call; where it fails, each queue's items with one of their own.

        So one request cannot fail another, and a dead backend is called only once.
        """
        try:
            self._call(batch)
        except AbandonedError:
            return
        except Exception as error:
            queues = list(dict.fromkeys(queue for queue, _ in batch))
            for queue in queues:
                if len(queues) == 1 or isinstance(error, AWAY):
                    self.cancel(queue, error)
                else:
                    self._serve(batch.of(queue))

    def _call(self, batch: Batch) -> None:
        """Call the model once, for what the cache has not got by now, and hand out the answers."""
        items = batch.items
        needed: dict[object, WorkItem] = {}
        for item in items:
            known = self._cache.get(item.stage, item.keys)
            if known is not None:
                _fulfil(item, known)
            if not item.future.done():
                needed.setdefault(item.keys or item, item)
        if not needed:
            return
        found = self._call_model(list(needed.values()), batch)
        answers = dict(zip(needed, found, strict=True))
        for name, answer in answers.items():
            self._cache.put(needed[name].stage, needed[name].keys, answer)
        for item in items:
            if (item.keys or item) in answers:
                _fulfil(item, answers[item.keys or item])

    def _call_model(self, items: Sequence[WorkItem], batch: Batch) -> Sequence[Answer]:
        """Make one call; end it when nobody waits for anything of the batch any more."""
        first = items[0]
        tokens, steps = sum(item.tokens for item in items), max(item.steps for item in items)
        problem: Exception | None = None
        turn = batch.turn = self._pace.begin(first.stage, steps, tokens)
        # What follows at once on a call that was given up goes on with its silence, and so does
        # what is made between two steps of another.
        alone = len(self._batches) == 1
        if alone and time.monotonic() - self._given_up > AT_ONCE_SECONDS:
            self._seen = time.monotonic()

        def between_steps(finished: int) -> None:
            if finished or self._zero_is_progress:
                self._seen = time.monotonic()
                self._observer.call_went_on()
            if all(item.future.done() for _, item in batch):
                raise AbandonedError(batch)
            if turn.seconds > self._pace.seconds:
                with self._changed:
                    self._line.charge(batch, turn.total, self._batches)
                turn.lend(lambda: self._serve_others(batch, turn.left))

        self._observer.call_began()
        try:
            requests = [item.request for item in items]
            answers = self._answering.answers(requests, first.law, between_steps)
            self._seen = time.monotonic()
            self._pace.note(first.stage, steps, tokens, turn.total)
            return answers
        except BaseException as error:
            problem = _of_call(error, batch)
            if isinstance(problem, AbandonedError):
                self._given_up = time.monotonic()
                self._pace.note_given_up(first.stage, steps, tokens, turn.total)
            if problem is error:
                raise
            raise problem from error
        finally:
            self._pace.end(first.stage)
            with self._changed:
                self._line.charge(batch, turn.total, self._batches)
            self._observer.call_ended(first.stage, len(items), tokens, problem)

    def _serve_others(self, batch: Batch, left: float) -> None:
        """Serve requests that were served less, between two steps of the call of a batch.

        That call waits until theirs has ended. So theirs must be the shorter one: else a request
        that needs little would wait for one that needs much, and was let in for the least.

        Parameters
        ----------
        left
            Seconds that the call is expected to take yet.
        """
        if threading.current_thread() is not self._thread or len(self._batches) > MOST_NESTED:
            return
        self._serve_next(below=self._line.standing(batch), within=left)


def _of_call(error: BaseException, batch: Batch) -> Exception:
    """Return what a call of a batch has failed of, where it raised this.

    What is no plain error, or says that another call is ended, is a fault: somebody waits yet.
    """
    if isinstance(error, AbandonedError):
        return error if error.batch is batch else LostError()
    return error if isinstance(error, Exception) else LostError()


def _fail(items: Iterable[WorkItem], error: Exception) -> None:
    for item in items:
        # A cancel and the end of a call may happen at once; whichever is first holds.
        with suppress(InvalidStateError):
            item.future.set_exception(error)


def _fulfil(item: WorkItem, answer: Answer) -> None:
    with suppress(InvalidStateError):
        item.future.set_result(answer)
