"""From a request to its answer: admission, deadline, a thread for the library, and the model.

The library is synchronous: it runs in a worker thread for each request that is worked on, never on
the event loop. Beyond `max_active` requests wait in order; beyond `max_queued` they are refused.
Some of both are kept for short requests (`service.engine.places`).
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

import anyio

from service.engine.cache import Cache
from service.engine.costs import short_cost
from service.engine.durations import Durations
from service.engine.exceptions import (
    BusyError,
    ClientGoneError,
    DeadlineError,
    GivenUpError,
    NoResourcesError,
)
from service.engine.health import Health
from service.engine.metrics import Metrics
from service.engine.pace import Pace
from service.engine.places import Claim, Places
from service.engine.probing import Prober
from service.engine.request_model import RequestModel
from service.engine.scales import ServedScales
from service.engine.scheduler import Scheduler
from service.engine.shared import SharedModel
from service.engine.usage import Usage
from service.engine.workers import fail, start_in_thread
from service.settings import MEBIBYTE, Settings
from similarity.errors import BackendUnavailableError
from similarity.models.base import LanguageModel
from similarity.vectors.meaning import MeaningVectors

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

# A success is news for so many probe intervals.
FRESH_PROBES = 3.0
# What is expected to take so many times the deadline is too long, though others took the time. The
# costs of two requests say to about a factor of two how long they take, and so does a late one.
SURE = 4.0
# How long requests take is forgotten in so many times the deadline: the next that come may differ.
FADING_DEADLINES = 1 / 3


class Engine:
    """Runs the library's functions for requests, on one shared model."""

    def __init__(
        self,
        model: LanguageModel,
        settings: Settings,
        metrics: Metrics,
        vectors: MeaningVectors | None = None,
    ) -> None:
        self.model = model
        self.loaded_at = int(time.time())
        self.metrics = metrics
        self.vectors = vectors
        self.scales = ServedScales(model)
        self._settings = settings
        self.health = Health(
            metrics,
            fresh_seconds=FRESH_PROBES * settings.probe_seconds + 1,
            stall_seconds=settings.stall_seconds,
            on_processor=model.on_processor,
            answered_at=model.answered_at,
        )
        cache = Cache(int(settings.cache_megabytes * MEBIBYTE))
        self._scheduler = Scheduler(
            model,
            pace=Pace(settings.call_seconds, settings.batch_tokens),
            cache=cache,
            observer=self.health,
            vectors=vectors,
        )
        self._shared = SharedModel(model, self._scheduler, cache, metrics, vectors)
        self._prober = Prober(self._shared, self.health, settings)
        short = short_cost(settings, self.groups)
        self._places = Places(
            settings.max_active,
            settings.max_queued,
            short,
            fading_seconds=FADING_DEADLINES * settings.deadline_seconds,
        )
        # Of short requests, and of long ones.
        self._durations = {False: Durations(), True: Durations()}
        self._running: dict[RequestModel, asyncio.Future[Any]] = {}
        self._given_up = False
        # How many requests have begun until now.
        self._begun = 0
        metrics.watch("active_requests", "Requests worked on.", lambda: self.active)
        metrics.watch("queued_requests", "Requests that wait.", lambda: self.queued)
        metrics.watch("waiting_units", "Items of requests that wait.", self._scheduler.waiting)
        metrics.watch("cache_bytes", "Size of the cache.", lambda: cache.bytes_used)
        metrics.watch("ready", "Whether the model answers.", lambda: self.health.status().ready)

    @property
    def groups(self) -> tuple[str, ...] | None:
        """Return the groups of features that the vectors have; None without vectors."""
        return None if self.vectors is None else self.vectors.names

    @property
    def active(self) -> int:
        """Return the number of requests worked on."""
        return self._places.active()

    @property
    def queued(self) -> int:
        """Return the number of requests that wait to be worked on."""
        return self._places.queued()

    async def run(
        self, function: Callable[[RequestModel], Result], cost: float, since: float | None = None
    ) -> tuple[Result, Usage]:
        """Return what the function makes of the model, and what that took.

        Cancelling this gives up the request's work on the model at once.

        Parameters
        ----------
        cost
            As `service.engine.costs` counts it: a long request has fewer places.
        since
            When the request began, by `time.monotonic`: its deadline counts from there. None is
            for now.

        Raises
        ------
        BusyError
            If too many requests wait already.
        DeadlineError
            If the answer, waiting included, takes longer than the deadline.
        BackendUnavailableError
            If the model is known not to answer.
        GivenUpError
            If the service goes down first.
        """
        began, admitted = time.monotonic(), math.inf
        end = (began if since is None else since) + self._settings.deadline_seconds
        long = self._places.is_long(cost)
        request_model = RequestModel(self._shared, long=long)
        claim = Claim(cost, end, lambda: request_model.usage.computed)
        self._admit(claim)
        alone = not (self.active or self.queued)
        self._begun += 1
        number = self._begun

        def work() -> Result:
            request_model.usage.seconds["queue"] += time.monotonic() - began
            self.health.check()
            with request_model.waits.working(), request_model.usage.timed():
                return function(request_model)

        try:
            with self._durations[long].request(), anyio.move_on_after(end - began):
                async with self._places.place(claim):
                    self._check_going()
                    admitted = time.monotonic()
                    future = self._running[request_model] = start_in_thread(work, "request")
                    result = await future
                self._account(request_model.usage)
                return result, request_model.usage
            alone = alone and self._begun == number
            raise self._late(request_model, cost, began, admitted, alone)
        finally:
            # Of a request that is answered nothing is left to give up.
            request_model.cancel(ClientGoneError("the client went away"))
            self._running.pop(request_model, None)

    async def watch(self) -> None:
        """Probe the model for ever, so that readiness is known and a dead backend is found."""
        while True:
            try:
                await self._prober.probe()
            except NoResourcesError:
                logger.warning("the model was not probed, as there was no memory or no thread left")
            except Exception as error:  # whatever a probe dies of, the model did not answer
                self.health.failed(error)
            try:
                self.health.check()
            except BackendUnavailableError as error:
                self._scheduler.cancel_all(error)
                self._fail_requests(error, only_calling=True)
            await self._prober.pause()

    def give_up(self) -> None:
        """Fail what is worked on or waits, at the end of the grace period, and what comes yet."""
        self._given_up = True
        self._fail_requests(GivenUpError())

    def _check_going(self) -> None:
        """Raise GivenUpError if all requests were given up: those that wait would begin now."""
        if self._given_up:
            raise GivenUpError

    def _fail_requests(self, error: Exception, *, only_calling: bool = False) -> None:
        """Fail the requests that are worked on, whatever their threads are doing.

        `only_calling` are those that wait for the model outside of the scheduler.
        """
        for request_model, future in list(self._running.items()):
            if request_model.calling or not only_calling:
                request_model.cancel(error)
                fail(future, error)

    def close(self) -> None:
        """End the scheduler's thread."""
        self._scheduler.close(patience=5.0)

    def _admit(self, claim: Claim) -> None:
        self._check_going()
        self.health.check()
        places = self._places
        if not places.takes(claim):
            long = places.is_long(claim.cost)
            # Those that are long may be fewer.
            fewer = long and not places.full
            kinds = (True,) if fewer else (False, True)
            which, less = ("long requests", ", or send less") if fewer else ("requests", "")
            raise BusyError(
                f"the service has as many {which} as it takes at once: {places.active(kinds)} "
                f"worked on, {places.queued(kinds)} waiting; send it again later{less}",
                retry_after=self.expected_wait(long),
            )

    def expected_wait(self, long: bool) -> float:
        """Return the seconds after which a request that is refused now would be answered.

        It waits for those of its kind alone.
        """
        active, queued = self._places.active([long]), self._places.queued([long])
        wait = self._durations[long].expected(active, queued)
        # What has taken so long may take as long again.
        wait = max(wait, self.health.seconds_of_call)
        return min(wait, self._settings.deadline_seconds)

    def _late(
        self, request_model: RequestModel, cost: float, began: float, admitted: float, alone: bool
    ) -> DeadlineError:
        """Return what to say of a request that was not answered in time: who took the time.

        `alone` is whether there was no other request meanwhile. What it waited for was a probe
        then, or a call that was given up and has not ended: it hangs, or computes a long step.
        """
        limit, now = self._settings.deadline_seconds, time.monotonic()
        long, expected = self._places.is_long(cost), self._places.seconds(cost)
        of_others = min(admitted, now) - began + request_model.delayed
        waited = 2 * of_others > now - began
        # A model that computes here goes on, however long it takes.
        silence = max(request_model.silent, self._scheduler.silent)
        silent = not self.model.on_processor and 2 * silence > now - began
        given_up = alone and not self.health.computing
        sampled = ", or a smaller n_trajectories or max_tokens" if request_model.sampling else ""
        if silent or (waited and (given_up or self._scheduler.probing)):
            # A server that is at work on a large call and one that hangs look alike.
            working = not waited and not request_model.silent
            less = f", or fewer or shorter texts{sampled}" if working else ""
            return DeadlineError(
                "the model did not answer within the time limit of {}; send it again later" + less,
                limit,
                self.expected_wait(long),
            )
        if waited and expected <= SURE * limit:
            others = "still busy with an earlier request" if alone else "busy with other requests"
            return DeadlineError(
                f"no answer within the time limit of {{}}, as the model was {others}; "
                "send it again later",
                limit,
                self.expected_wait(long),
            )
        again = "send it again to go on from what is kept, or " if request_model.keeps else ""
        about = f", about {expected:.0f} s by how long others took lately" if waited else ""
        # Before it has begun it is not known whether it samples.
        less = "send less" if admitted > now else f"send fewer or shorter texts{sampled}"
        return DeadlineError(
            f"this takes longer than the time limit of {{}}{about}; {again}{less}", limit
        )

    def _account(self, usage: Usage) -> None:
        tokens = {
            "sampled": usage.sampled_tokens,
            "scored": usage.scored_tokens,
            "cached": usage.cached_tokens,
        }
        self.metrics.work(usage.seconds, tokens)
