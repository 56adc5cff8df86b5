"""Which servers are in service: those that fail are left out, and looked at until they are well."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import anyio

from similarity.errors import (
    BackendKeyError,
    BackendRefusedError,
    BackendTimeoutError,
    BackendUnavailableError,
    ModelChangedError,
    ModelError,
    RequestRefusedError,
)
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.passing import PassingError
from similarity.models.vllm_server.replica import HEALTH_TIMEOUT, Replica
from similarity.models.vllm_server.wanted import Wanted

logger = logging.getLogger(__name__)

# A server that was seen so long ago to have the tokenizer is looked at again before it is used: a
# server takes longer to start anew.
READING_SECONDS = 1.0
# All requests wait for that look: one that gets no answer must not hold them for the time that a
# large request has. A probe that computes has as long.
LOOK_SECONDS = 15.0


class Roster:
    """The servers of one model, and which of them are in service.

    Parameters
    ----------
    wanted
        What a server must go on to serve; None until that is known.

    Attributes
    ----------
    changes
        How often a server was found to have another model.
    """

    def __init__(
        self, replicas: Sequence[Replica], config: ServerConfig, wanted: Wanted | None
    ) -> None:
        self.replicas = replicas
        self._config = config
        self.patience = config.patience
        self._wanted = wanted
        self._changed = anyio.Condition()
        self.changes = 0

    def serving(self, besides: Replica | None = None) -> list[Replica]:
        """Return the servers in service, without one."""
        return [one for one in self.replicas if not one.failures and one is not besides]

    def may_serve(self, besides: Replica) -> bool:
        """Return whether another is in service, or fails since so lately that it may pass."""
        since = time.monotonic() - self.patience
        return any(
            # One that is left out may have answered since what it was asked before.
            not one.failures or one.failing_since is None or one.failing_since > since
            for one in self.replicas
            if one is not besides
        )

    def leave_out(self, replica: Replica, error: ModelError) -> None:
        """Take a server that has never answered out of service until it does."""
        replica.failing_since = -math.inf
        replica.last_error = error
        self._pause(replica)

    async def check_serving(self, replica: Replica, *, reading: bool = True) -> None:
        """Raise what tells best that a server is not well, or serves something else.

        All is asked at once, so that a slow server needs no longer than for its slowest answer.

        Parameters
        ----------
        reading
            Whether to look at the tokenizer too.
        """
        found: list[PassingError | ModelError] = []

        async def check(call: Callable[[], Awaitable[None]]) -> None:
            try:
                await _twice(call)
            except (PassingError, ModelError) as failure:
                found.append(failure)

        async with anyio.create_task_group() as group:
            group.start_soon(check, replica.check_healthy)
            group.start_soon(check, partial(self.check_room, replica))
            if reading:
                group.start_soon(check, partial(self.check_reading, replica))
        for failure in sorted(found, key=_rank):
            raise failure

    async def check_room(self, replica: Replica) -> None:
        """Raise ModelChangedError if a server has not the name, or takes fewer tokens."""
        if self._wanted is not None:
            await self._wanted.check_room(replica)

    async def check_taking(self, replica: Replica) -> None:
        """Raise BackendRefusedError if a server refuses a short text as it did a request."""
        if self._wanted is None:
            return
        try:
            await self._wanted.check_computing(replica)
        except RequestRefusedError as error:
            raise BackendRefusedError(
                f"{error}; it took that text before, so it may refuse all: see its log"
            ) from error

    async def check_key(self, replica: Replica, error: BackendKeyError) -> None:
        """Raise RequestRefusedError if a server that refused a request takes a short text."""
        if self._wanted is None or self._wanted.probe is None or not error.answer:
            return
        await self._wanted.check_computing(replica)
        raise RequestRefusedError(
            f"{error.answer}; it takes a short text, so what it was sent is at fault: give "
            "another text"
        ) from error

    async def check_reading(self, replica: Replica) -> None:
        """Raise ModelChangedError if a server has another tokenizer, looked at now and then."""
        if self._wanted is None:
            return
        async with replica.reading:
            now = time.monotonic()
            if now - replica.read_at >= READING_SECONDS:
                try:
                    with anyio.fail_after(LOOK_SECONDS):
                        await self._wanted.check_reading(replica)
                except TimeoutError as error:
                    raise PassingError(
                        BackendTimeoutError(
                            f"{replica.url} did not tokenize a short text within "
                            f"{LOOK_SECONDS:g} s; see its log"
                        )
                    ) from error
                replica.read_at = now

    def away(self) -> ModelError:
        """Return what to say where no server is in service."""
        errors = dict.fromkeys(str(one.last_error) for one in self.replicas if one.last_error)
        if all(isinstance(replica.last_error, ModelChangedError) for replica in self.replicas):
            return ModelChangedError("; ".join(errors))
        soonest = min(replica.retry_at for replica in self.replicas)
        seconds = max(soonest - time.monotonic(), 0.0)
        return BackendUnavailableError("; ".join(errors), retry_after=seconds)

    async def let_back_in(self) -> None:
        """Take each server back whose pause is over, and which is well and as at loading."""
        for replica in self.replicas:
            due = replica.retry_at <= time.monotonic()
            if not replica.failures or replica.probing or not due:
                continue
            if self._must_compute(replica):
                self._look_aside(replica)
            else:
                replica.probing = True
                await self._look(replica, HEALTH_TIMEOUT)

    def _must_compute(self, replica: Replica) -> bool:
        """Return whether its health tells too little: it hung, or changed while others serve."""
        # Where none serves, a request finds out sooner what a changed one computes.
        changed = isinstance(replica.last_error, ModelChangedError)
        return replica.stuck or (changed and bool(self.serving()))

    def _look_aside(self, replica: Replica) -> None:
        """Have a server compute in a task of its own, for which no request waits."""
        replica.probing = True
        replica.look = asyncio.create_task(self._look(replica, LOOK_SECONDS))

    async def _look(self, replica: Replica, seconds: float) -> None:
        """Take a server back if it is well within so long, and computes where it must."""
        computes = self._must_compute(replica)
        try:
            replica.read_at = -math.inf
            with anyio.fail_after(seconds):
                await self.check_serving(replica)
                if computes and self._wanted is not None:
                    await self._wanted.check_computing(replica)
        except (PassingError, ModelError, TimeoutError) as failure:
            if not isinstance(failure, TimeoutError):
                self._note_failure(replica, failure)
            if replica.stuck:
                replica.failing_since = replica.failing_since or time.monotonic()
            self._pause(replica)
        else:
            if computes:
                replica.stuck, replica.failing_since = False, None
                replica.computed_at = time.monotonic()
                logger.warning("in use again: %s computes as at loading, in time", replica.url)
            replica.failures = 0
            await self.notify()
        finally:
            replica.probing = False

    @staticmethod
    def _note_failure(replica: Replica, failure: PassingError | ModelError) -> None:
        error = failure.error if isinstance(failure, PassingError) else failure
        # What failed a request says more than that a server does not answer.
        if any(isinstance(one, ModelChangedError) for one in (error, replica.last_error)):
            replica.last_error = error

    def take_out(
        self, replica: Replica, error: ModelError, retry_after: float | None = None
    ) -> None:
        """Leave a server out until it is well, and for the seconds that it wishes."""
        replica.last_error = error
        if retry_after is not None and isinstance(error, BackendUnavailableError):
            error.retry_after = min(retry_after, self.patience)
        # Requests that were under way together fail together: that is one failure.
        if not replica.failures or retry_after is not None:
            self._pause(replica, retry_after)

    def take_out_well(self, replica: Replica, error: ModelError) -> None:
        """Leave a server out longer each time: its health says nothing of what is wrong."""
        self.changes += isinstance(error, ModelChangedError)
        if replica.failures:
            return
        lasted = time.monotonic() - replica.retry_at
        replica.relapses = 1 if lasted > self.patience else replica.relapses + 1
        logger.warning("left out for a while: %s", error)
        self.take_out(replica, error, self.backoff(replica.relapses))

    def suspect(self, replica: Replica, error: ModelError) -> None:
        """Leave out a server that may hang until it computes, which is looked at once."""
        if not replica.failures:
            self.take_out_stuck(replica, error)
            self._look_aside(replica)

    def take_out_stuck(self, replica: Replica, error: ModelError) -> None:
        """Leave out a server whose answer took too long until it computes, longer each time."""
        if replica.failures:
            return
        replica.stuck = True
        replica.timeouts += 1
        # So that the pauses go on from where they were the last time.
        replica.failures = replica.timeouts - 1
        replica.last_error = error
        self._pause(replica)
        pause = replica.retry_at - time.monotonic()
        logger.warning(
            "left out for %.2g s, and until it computes a short text in time: %s", pause, error
        )

    def _pause(self, replica: Replica, seconds: float | None = None) -> None:
        replica.failures += 1
        if seconds is None:
            seconds = self.backoff(replica.failures)
        # Nobody waits longer, and one answer, of a proxy perhaps, must not end a server's use.
        pause = min(seconds, self.patience)
        replica.retry_at = time.monotonic() + pause

    def backoff(self, failures: int) -> float:
        """Return a pause in seconds, drawn so that many clients do not come back together."""
        # Whoever waits for a server out of patience has seen it looked at more than once.
        longest = min(self._config.backoff * 2.0 ** min(failures - 1, 16), self.patience / 3)
        return longest * random.uniform(0.5, 1.0)

    async def wait(self) -> None:
        """Wait until something changes, or for a moment."""
        with anyio.move_on_after(min(self._config.backoff, 0.25)):
            async with self._changed:
                await self._changed.wait()

    async def notify(self) -> None:
        """Wake whoever waits."""
        # Even when cancelled: others wait for this.
        with anyio.CancelScope(shield=True):
            async with self._changed:
                self._changed.notify_all()


async def _twice(call: Callable[[], Awaitable[None]]) -> None:
    """Do this, and once more if its connection was lost, as one may be at a server that is well."""
    try:
        await call()
    except PassingError as failure:
        if not failure.lost:
            raise
        await call()


def _rank(failure: PassingError | ModelError) -> int:
    """Return how little a failure tells of why a server is not to be used."""
    if isinstance(failure, ModelChangedError):
        return 0
    return 1 if isinstance(failure, BackendKeyError) else 2
