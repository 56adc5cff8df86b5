"""Several servers of one model: each request to the one with the least to do.

A server that fails is left out, with growing pauses, and let back in when it answers again.
"""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import anyio

from similarity.errors import BackendUnavailableError, ModelChangedError, ModelError
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.passing import PassingError
from similarity.models.vllm_server.replica import Replica

T = TypeVar("T")

# A server that is alive answers a look at its health within this, whatever it computes.
ALIVE_SECONDS = 2.0
# And answers requests: after so long of failures alone it is away, however well its health is.
FAILING_SECONDS = 2.0


class Pool:
    """The servers of one model, for one event loop.

    Every request is a pure function of its body, so it may safely be sent again, elsewhere.
    """

    def __init__(
        self, replicas: Sequence[Replica], config: ServerConfig, name: str | None = None
    ) -> None:
        self.replicas = replicas
        self.config = config
        # What a server must still serve to be let back in.
        self._name = name
        self._changed = anyio.Condition()
        # When the first request failed since one was answered; None where none did.
        self._failing_since: float | None = None

    @property
    def workers(self) -> int:
        """Return how many requests may be in flight at all servers."""
        return self.config.in_flight * len(self.replicas)

    async def request(
        self,
        path: str,
        read: Callable[[Any], T],
        body: dict[str, Any] | None = None,
        *,
        tokens: int = 1,
    ) -> T:
        """Return what `read` makes of the answer of the first server that gives one.

        Raises
        ------
        BackendError
            If none answers in time, or one refuses.
        WrongAnswerError
            If an answer is not of the requested form: the request is not sent again.
        ModelChangedError
            If `read` finds by an answer that a server has another model, and none is left.
        """
        return await self.call(lambda replica: replica.request(path, read, body), tokens=tokens)

    async def call(self, work: Callable[[Replica], Awaitable[T]], *, tokens: int = 1) -> T:
        """Return what `work` gets of the first server that gives it; raises as `request` does."""
        attempt, failed_once = 1, False
        while True:
            replica = await self._acquire(tokens)
            try:
                answer = await work(replica)
                self._failing_since = None
                return answer
            except PassingError as failure:
                ends = failed_once if failure.once else self._ends_call(replica, failure)
                if ends or attempt == self.config.attempts:
                    raise failure.error from failure
                failed_once = failed_once or failure.once
                pause = self._backoff(attempt)
            except ModelChangedError as error:
                self._take_out_changed(replica, error)
                if not self._serving() or attempt == self.config.attempts:
                    raise
                pause = 0.0  # another server has the model
            finally:
                replica.busy -= 1
                replica.load -= tokens
                await self._notify()
            await anyio.sleep(pause)
            attempt += 1

    def _ends_call(self, replica: Replica, failure: PassingError) -> bool:
        """Leave out a server that failed; return whether its request is not to be sent again."""
        self._failing_since = self._failing_since or time.monotonic()
        self._take_out(replica, failure.error, failure.retry_after)
        unwaited = failure.slow or (failure.retry_after or 0) > self.config.patience
        return unwaited and not self._serving()

    async def check_alive(self) -> None:
        """Raise BackendUnavailableError if no server answers within ALIVE_SECONDS.

        Once too, if for FAILING_SECONDS all requests have failed.
        """
        well: list[str] = []

        async def look_at(replica: Replica) -> None:
            if await replica.healthy(self._name):
                well.append(replica.url)
                group.cancel_scope.cancel()

        with anyio.move_on_after(ALIVE_SECONDS):
            async with anyio.create_task_group() as group:
                for replica in self.replicas:
                    group.start_soon(look_at, replica)
        if not well:
            urls = ", ".join(replica.url for replica in self.replicas)
            raise BackendUnavailableError(f"no answer from {urls}; start it, or see its log")
        since = self._failing_since
        if since is not None and time.monotonic() - since > FAILING_SECONDS:
            # Once, so that the next caller may send a request and see whether it has recovered.
            self._failing_since = None
            raise self._away()

    async def metrics(self) -> str:
        """Return the first server's page of metrics, empty where it gives none."""
        try:
            return await self.replicas[0].metrics()
        except PassingError as failure:
            raise failure.error from failure

    async def offers(self, path: str) -> bool:
        """Return whether the first server has a route of this path."""
        try:
            return await self.replicas[0].offers(path)
        except PassingError as failure:
            raise failure.error from failure

    def leave_out(self, replica: Replica, error: ModelError) -> None:
        """Take a server out of service until it answers."""
        replica.last_error = error
        self._pause(replica)

    def _serving(self) -> list[Replica]:
        return [replica for replica in self.replicas if not replica.failures]

    async def _acquire(self, tokens: int) -> Replica:
        """Return the server in service with the least load, as soon as one has room."""
        started = time.monotonic()
        while True:
            await self._let_back_in()
            serving = self._serving()
            free = [replica for replica in serving if replica.busy < self.config.in_flight]
            if free:
                chosen = min(free, key=lambda replica: replica.load)
                chosen.busy += 1
                chosen.load += tokens
                return chosen
            if not serving:
                self._check_patience(started)
            await self._wait()

    def _check_patience(self, started: float) -> None:
        """Raise BackendUnavailableError if no server is in service and none can be in time."""
        limit = started + self.config.patience
        soonest = min(replica.retry_at for replica in self.replicas)
        if max(time.monotonic(), soonest) < limit:
            return
        raise self._away()

    def _away(self) -> BackendUnavailableError:
        """Return what to say where no server is in service."""
        errors = dict.fromkeys(str(replica.last_error) for replica in self.replicas)
        soonest = min(replica.retry_at for replica in self.replicas)
        seconds = max(soonest - time.monotonic(), 0.0)
        return BackendUnavailableError("; ".join(errors), retry_after=seconds)

    async def _let_back_in(self) -> None:
        """Take each server back into service whose pause is over and whose health is good."""
        for replica in self.replicas:
            due = replica.retry_at <= time.monotonic()
            if not replica.failures or replica.probing or not due:
                continue
            replica.probing = True
            try:
                well = await replica.healthy(self._name)
            finally:
                replica.probing = False
            if well:
                replica.failures = 0
                await self._notify()
            else:
                self._pause(replica)

    def _take_out(
        self, replica: Replica, error: ModelError, retry_after: float | None = None
    ) -> None:
        replica.last_error = error
        if retry_after is not None and isinstance(error, BackendUnavailableError):
            error.retry_after = min(retry_after, self.config.patience)
        # Requests that were under way together fail together: that is one failure.
        if not replica.failures or retry_after is not None:
            self._pause(replica, retry_after)

    def _take_out_changed(self, replica: Replica, error: ModelChangedError) -> None:
        """Leave a server out longer each time: its health says nothing of which model it has."""
        if not replica.failures:
            replica.changes += 1
            self._take_out(replica, error, self._backoff(replica.changes))

    def _pause(self, replica: Replica, seconds: float | None = None) -> None:
        replica.failures += 1
        if seconds is None:
            seconds = self._backoff(replica.failures)
        # Nobody waits longer, and one answer, of a proxy perhaps, must not end a server's use.
        pause = min(seconds, self.config.patience)
        replica.retry_at = time.monotonic() + pause

    def _backoff(self, failures: int) -> float:
        """Return a pause in seconds, drawn so that many clients do not come back together."""
        # Whoever waits for a server out of patience has seen it looked at more than once.
        longest = min(self.config.backoff * 2.0 ** min(failures - 1, 16), self.config.patience / 3)
        return longest * random.uniform(0.5, 1.0)

    async def _wait(self) -> None:
        """Wait until something changes, or for a moment."""
        with anyio.move_on_after(min(self.config.backoff, 0.25)):
            async with self._changed:
                await self._changed.wait()

    async def _notify(self) -> None:
        # Even when cancelled: others wait for this.
        with anyio.CancelScope(shield=True):
            async with self._changed:
                self._changed.notify_all()


async def gather(calls: Sequence[Callable[[], Awaitable[T]]], workers: int) -> list[T]:
    """Return the results of all calls, in order, some at once; the first error ends them all."""
    results: dict[int, T] = {}
    waiting = enumerate(calls)

    async def work() -> None:
        for number, call in waiting:
            results[number] = await call()

    try:
        async with anyio.create_task_group() as group:
            for _ in range(min(workers, len(calls))):
                group.start_soon(work)
    except ExceptionGroup as errors:
        raise _first(errors) from errors
    return [results[number] for number in range(len(results))]


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
