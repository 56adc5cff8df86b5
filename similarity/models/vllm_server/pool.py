"""Several servers of one model: each request to the one with the least to do.

A server that fails is left out, with growing pauses, and let back in when it answers again and is
as at loading. One that fails what another then answers is left out too, however well it says it is.
One that gives no answer in time while another serves must also compute a probe before it returns.
So must one that had given none when a request was given up, as where its deadline passed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio

from similarity.errors import (
    BackendKeyError,
    BackendRefusedError,
    BackendTimeoutError,
    ModelChangedError,
    ModelError,
    RequestRefusedError,
    WrongAnswerError,
)
from similarity.models.vllm_server.alive import check_alive
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.passing import PassingError
from similarity.models.vllm_server.replica import Replica
from similarity.models.vllm_server.roster import Roster
from similarity.models.vllm_server.wanted import Wanted

T = TypeVar("T")

# A request that is given up sooner says nothing of its server.
SILENT_SECONDS = 1.0
# A request that kills servers, or that they fail, goes to one other at most.
MOST_STRIKES = 1


@dataclass(frozen=True)
class _Doubt:
    """A failure that may be the server's or the request's: another server shows which."""

    replica: Replica
    error: ModelError


class Pool:
    """The servers of one model, for one event loop.

    Every request is a pure function of its body, so it may safely be sent again, elsewhere.
    """

    def __init__(
        self, replicas: Sequence[Replica], config: ServerConfig, wanted: Wanted | None = None
    ) -> None:
        self.replicas = replicas
        self.config = config
        self.roster = Roster(replicas, config, wanted)

    @property
    def workers(self) -> int:
        """Return how many requests may be in flight at all servers."""
        return self.config.in_flight * len(self.replicas)

    @property
    def computed_at(self) -> float:
        """Return when a server last gave what it had computed, by `time.monotonic`."""
        return max(replica.computed_at for replica in self.replicas)

    async def request(
        self,
        path: str,
        read: Callable[[Any], T],
        body: dict[str, Any] | None = None,
        *,
        tokens: int = 0,
    ) -> T:
        """Return what `read` makes of the answer of the first server that gives one.

        Parameters
        ----------
        tokens
            That the model computes; 0 where it computes none.

        Raises
        ------
        BackendError
            If none answers in time, or one refuses, and one other too.
        WrongAnswerError
            If an answer is not of the requested form, nor that of one other server.
        ModelChangedError
            If a server has another model, as `read` or a look at it found, and none is left.
        """
        return await self.call(lambda replica: replica.request(path, read, body), tokens=tokens)

    async def call(self, work: Callable[[Replica], Awaitable[T]], *, tokens: int = 0) -> T:
        """Return what `work` gets of the first server that gives it; raises as `request` does."""
        attempt, strikes = 1, 0
        doubt: _Doubt | None = None
        failed: set[Replica] = set()
        while True:
            replica = await self._acquire(tokens, doubt, failed)
            last, pause = attempt == self.config.attempts, 0.0
            try:
                answer = await self._checked(replica, work, tokens)
                self._note_answer(replica, doubt)
                return answer
            except PassingError as failure:
                strikes += failure.fatal or failure.once
                ends = not failure.once and self._ends_call(replica, failure)
                if ends or last or strikes > MOST_STRIKES:
                    raise failure.error from failure
                failed.add(replica)
                if failure.once and self.roster.serving(besides=replica):
                    doubt = _Doubt(replica, failure.error)
                elif failed.issuperset(self.roster.serving()):
                    pause = self.roster.backoff(attempt)
            except ModelChangedError as error:
                self.roster.take_out_well(replica, error)
                if last or not self.roster.may_serve(besides=replica):
                    raise
            except RequestRefusedError:
                raise
            except (BackendRefusedError, WrongAnswerError) as error:
                strikes += 1
                if last or strikes > MOST_STRIKES or not self.roster.may_serve(besides=replica):
                    raise
                doubt = _Doubt(replica, error)
            finally:
                replica.busy -= 1
                replica.load -= max(tokens, 1)
                await self.roster.notify()
            await anyio.sleep(pause)
            attempt += 1

    def _note_answer(self, replica: Replica, doubt: _Doubt | None) -> None:
        """Note that a server answered, and that the one in doubt is at fault."""
        replica.failing_since = None
        if doubt is not None:
            self.roster.take_out_well(doubt.replica, doubt.error)

    def _note_given_up(self, replica: Replica, began: float) -> None:
        """Suspect a server that has computed nothing since a request began, which is given up.

        A slow server looks the same, so a short text shows which it is.
        """
        waited = time.monotonic() - began
        if replica.computed_at < began and waited > max(SILENT_SECONDS, replica.took):
            self.roster.suspect(
                replica,
                BackendTimeoutError(
                    f"{replica.url} gave no answer for {waited:.1f} s, when a request was given "
                    "up; see what the server is doing"
                ),
            )

    def _ends_call(self, replica: Replica, failure: PassingError) -> bool:
        """Leave out a server that failed; return whether its request is not to be sent again."""
        replica.failing_since = replica.failing_since or time.monotonic()
        if failure.slow and self.roster.serving(besides=replica):
            # Its health and tokenizer may be good all the while: its requests would wait again.
            self.roster.take_out_stuck(replica, failure.error)
        else:
            self.roster.take_out(replica, failure.error, failure.retry_after)
        unwaited = failure.slow or (failure.retry_after or 0) > self.config.patience
        return unwaited and not self.roster.serving()

    async def check_alive(self) -> None:
        """Check that a server answers soon, and is as at loading; raise as `alive.check_alive`."""
        await check_alive(self.roster)

    async def metrics(self) -> str:
        """Return a server's page of metrics, empty where it has none; raise as `request` does."""
        return await self.call(lambda replica: replica.metrics())

    async def offers(self, path: str) -> bool:
        """Return whether a server has a route of this path; raise as `request` does."""
        return await self.call(lambda replica: replica.offers(path))

    async def _acquire(
        self, tokens: int, doubt: _Doubt | None, failed: AbstractSet[Replica]
    ) -> Replica:
        """Return the server in service with the least load, as soon as one has room.

        Where one is in doubt it is another, or the doubt's error is raised. It is one that failed
        before only where no other is in service.
        """
        started = time.monotonic()
        while True:
            await self.roster.let_back_in()
            serving = self.roster.serving(besides=doubt.replica if doubt else None)
            untried = [replica for replica in serving if replica not in failed] or serving
            free = [replica for replica in untried if replica.busy < self.config.in_flight]
            if free:
                chosen = min(free, key=lambda replica: replica.load)
                chosen.busy += 1
                chosen.load += max(tokens, 1)
                return chosen
            if not serving:
                if doubt is None:
                    self._check_patience(started)
                elif time.monotonic() - started > self.config.patience or not self.roster.may_serve(
                    besides=doubt.replica
                ):
                    raise doubt.error
            await self.roster.wait()

    async def _checked(
        self, replica: Replica, work: Callable[[Replica], Awaitable[T]], tokens: int
    ) -> T:
        """Return what `work` gets of a server that is as at loading."""
        began = time.monotonic()
        try:
            await self.roster.check_reading(replica)
            answer = await self._permitted(replica, work)
        except asyncio.CancelledError:
            if tokens:
                self._note_given_up(replica, began)
            raise
        except BackendKeyError:
            raise
        except BackendRefusedError as error:
            # It may be too long for this one alone, or the name be gone, if it was started anew.
            await self.roster.check_room(replica)
            if isinstance(error, RequestRefusedError):
                await self.roster.check_taking(replica)
            raise
        if tokens:
            replica.timeouts, replica.computed_at = 0, time.monotonic()
            replica.took = replica.computed_at - began
        return answer

    async def _permitted(self, replica: Replica, work: Callable[[Replica], Awaitable[T]]) -> T:
        """Return what `work` gets; find out whether a refusal is of all, or of what was sent."""
        try:
            return await work(replica)
        except BackendKeyError as error:
            await self.roster.check_key(replica, error)
            raise

    def _check_patience(self, started: float) -> None:
        """Raise what `Roster.away` returns if no server is in service and none can be in time."""
        limit = started + self.config.patience
        soonest = min(replica.retry_at for replica in self.replicas)
        # One that another caller looks at just now may be back in a moment.
        looked_at = any(one.probing and not one.stuck for one in self.replicas)
        if looked_at or max(time.monotonic(), soonest) < limit:
            return
        raise self.roster.away()
