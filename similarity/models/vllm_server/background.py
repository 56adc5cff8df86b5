"""An event loop in a thread of its own, for callers that have none, or one of their own."""

import queue
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TypeVar

from anyio.from_thread import start_blocking_portal

from similarity.models.base import OnProgress, ignore_progress

T = TypeVar("T")

# Seconds between two calls of `on_progress` while nothing is finished: how soon a caller that
# raises there, or a Ctrl-C, is heeded.
HEARTBEAT = 0.1


class Background:
    """Runs coroutines for any thread; its loop ends with `close`, or with the process."""

    def __init__(self) -> None:
        stack = ExitStack()
        self._portal = stack.enter_context(start_blocking_portal(name="trajsim-vllm"))
        self._stack = stack
        # Without this, a caller that closes nothing leaves sockets to the garbage collector.
        self.close = weakref.finalize(self, stack.close)

    def on_close(self, clean_up: Callable[[], Awaitable[None]]) -> None:
        """Run a function in the loop before the loop ends."""
        self._stack.callback(self._portal.call, clean_up)

    def run(
        self,
        work: Callable[[OnProgress], Awaitable[T]],
        on_progress: OnProgress = ignore_progress,
    ) -> T:
        """Return the result of `work`; call `on_progress` with its counts, in this thread.

        An error of `on_progress`, or an interrupt of this thread, cancels the work.
        """
        finished: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        future: Future[T] = self._portal.start_task_soon(work, finished.put)
        future.add_done_callback(lambda _: finished.put(None))
        try:
            while (count := _next(finished)) is not None:
                on_progress(count)
            return future.result()
        except BaseException:
            future.cancel()
            raise


def _next(finished: "queue.SimpleQueue[int | None]") -> int | None:
    try:
        return finished.get(timeout=HEARTBEAT)
    except queue.Empty:
        return 0
