"""An event loop in a thread of its own, for callers that have none, or one of their own."""

import asyncio
import atexit
import queue
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

from anyio.from_thread import BlockingPortal

from similarity.models.base import OnProgress, ignore_progress
from similarity.models.waiting import check_waiting

T = TypeVar("T")

# Seconds between two calls of `on_progress` while nothing is finished: how soon a caller that
# raises there, or a Ctrl-C, is heeded.
HEARTBEAT = 0.1
# Seconds that the end of the process waits for a loop to close its connections.
LAST_SECONDS = 5.0


class Background:
    """Runs coroutines for any thread; its loop ends with `close`, with this, or with the process.

    Parameters
    ----------
    clean_up
        Run in the loop before it ends.
    """

    def __init__(self, clean_up: Callable[[], Awaitable[None]]) -> None:
        self._thread = _LoopThread(clean_up)
        # The garbage collector runs this in any thread, at any line: in the loop's own thread, or
        # amid an import for which that thread waits. So it must wait for nothing.
        finalizer = weakref.finalize(self, self._thread.end)
        finalizer.atexit = False  # `_end_all` also waits
        self._thread.start()
        self._portal = self._thread.portal.result()

    def close(self) -> None:
        """Run `clean_up`, and wait until the loop has ended."""
        self._thread.end()
        self._thread.join()

    def run(
        self,
        work: Callable[[OnProgress], Awaitable[T]],
        on_progress: OnProgress = ignore_progress,
    ) -> T:
        """Return the result of `work`; call `on_progress` with its counts, in this thread.

        An error of `on_progress` or of `check_waiting`, or an interrupt of this thread, cancels
        the work.
        """
        finished: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        future: Future[T] = self._portal.start_task_soon(work, finished.put)
        future.add_done_callback(lambda _: finished.put(None))
        try:
            while (count := _next(finished)) is not None:
                on_progress(count)
                check_waiting()
            return future.result()
        except BaseException:
            future.cancel()
            raise


class _LoopThread(threading.Thread):
    """Runs a loop until `end`. It knows no `Background`, which could not be collected else."""

    def __init__(self, clean_up: Callable[[], Awaitable[None]]) -> None:
        super().__init__(name="trajsim-vllm", daemon=True)
        self.portal: Future[BlockingPortal] = Future()
        self._clean_up = clean_up
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()

    def start(self) -> None:
        """Start the thread, or close its loop."""
        try:
            super().start()
        except BaseException:
            self._loop.close()
            raise

    def run(self) -> None:
        """Run the loop."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    def end(self) -> None:
        """Tell the loop to end, from any thread, without waiting or taking a lock."""
        try:
            self._loop.call_soon_threadsafe(self._ending.set)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    async def _serve(self) -> None:
        async with BlockingPortal() as portal:
            self.portal.set_result(portal)
            await self._ending.wait()
            await self._clean_up()


@atexit.register
def _end_all() -> None:
    """End every loop with the process, whose end would leave their sockets open."""
    threads = [one for one in threading.enumerate() if isinstance(one, _LoopThread)]
    for thread in threads:
        thread.end()
    for thread in threads:
        thread.join(LAST_SECONDS)


def _next(finished: "queue.SimpleQueue[int | None]") -> int | None:
    try:
        return finished.get(timeout=HEARTBEAT)
    except queue.Empty:
        return 0
