"""Whether the model answers, by its calls and its probes."""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.engine.cache import Stage
from service.engine.exceptions import AWAY, ModelAwayError, changed_words
from service.engine.exertion import Exertion, processor_time
from service.engine.metrics import Metrics
from service.engine.work import AbandonedError
from similarity.errors import BackendTimeoutError, BackendUnavailableError, ModelChangedError

logger = logging.getLogger(__name__)

Clock = Callable[[], float]

# Different ones are logged until the model answers again.
MOST_CAUSES = 8


@dataclass(frozen=True)
class Status:
    """Ready or not, and why in one sentence."""

    ready: bool
    reason: str


class Health:
    """Follows the calls of the model, from the scheduler's thread and from probes.

    A call may be made between two steps of another; how long that one takes is without it. That it
    begins shows nothing: all hang together if none of them goes on.
    One that computes in its own thread may take as long as it takes: it uses the processor. One
    that waits for a server or a GPU, or hangs, has `stall_seconds`. One that ran out of the time
    that a server has for it may have been too large: the model is in doubt until a probe has ended.

    Parameters
    ----------
    fresh_seconds
        After which a success wants a probe. It shows that the model answers for twice as long, or
        each probe would begin when the model is thought away already.
    stall_seconds
        After which a call that has not ended counts as hung, if it does not compute.
    on_processor
        Whether the thread of a call computes: then it is seen by its processor time.
    answered_at
        Returns when what computes elsewhere last gave an answer, by `clock`: a call around another
        may have answers of its own meanwhile.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        fresh_seconds: float,
        stall_seconds: float,
        on_processor: bool = False,
        answered_at: Callable[[], float] = lambda: -math.inf,
        clock: Clock = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._fresh = fresh_seconds
        self._stall = stall_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._succeeded: float | None = None
        # Of each call under way, the innermost last; time lent to others is not its own.
        self._began: list[float] = []
        # When a call was last seen to go on, or began while there was no other.
        self._went_on = -math.inf
        self._answered_at = answered_at
        self._on_processor = on_processor
        self._exertion: Exertion | None = None
        self._error: Exception | None = None
        # When that was.
        self._failed = 0.0
        # What was said of it since the model last answered.
        self._told: set[str] = set()
        self._doubted = False
        self.draining = False

    def call_began(self) -> None:
        """Note that a call of the model begins."""
        with self._lock:
            now = self._clock()
            if not self._began:
                self._went_on = now
            self._began.append(now)
            if self._on_processor:
                # All calls are made in one thread, which is this one.
                self._exertion = Exertion(processor_time(), now)

    def call_went_on(self) -> None:
        """Note that a call was seen to go on."""
        with self._lock:
            self._went_on = self._clock()

    def call_ended(self, stage: Stage, items: int, tokens: int, error: Exception | None) -> None:
        """Note how a call has ended."""
        with self._lock:
            now = self._clock()
            seconds = now - self._began.pop()
            self._began = [began + seconds for began in self._began]
            if not isinstance(error, (AbandonedError, *AWAY)):
                self._went_on = now
        self._metrics.call(stage, items, tokens, seconds)
        if error is None:
            self.succeeded()
        elif isinstance(error, BackendTimeoutError):
            with self._lock:
                self._doubted = True
        elif isinstance(error, AWAY):
            self.failed(error)

    def succeeded(self) -> None:
        """Note that the model has answered."""
        with self._lock:
            if self._error is not None:
                logger.warning("the model answers again")
                self._told.clear()
            self._succeeded, self._error, self._doubted = self._clock(), None, False

    def failed(self, error: Exception) -> None:
        """Note that the model is out of reach; until a probe succeeds no request is sent to it."""
        with self._lock:
            cause = str(error) or type(error).__name__
            # A server that is there again may fail otherwise, as by its certificate.
            if cause not in self._told and len(self._told) < MOST_CAUSES:
                self._told.add(cause)
                logger.error("the model does not answer: %s", cause)
            self._error, self._failed, self._doubted = error, self._clock(), False

    @property
    def doubted(self) -> bool:
        """Return whether a call ran out of time, and nothing has shown since how the model is."""
        with self._lock:
            return self._doubted

    @property
    def busy(self) -> bool:
        """Return whether a call is running."""
        with self._lock:
            return bool(self._began)

    @property
    def computing(self) -> bool:
        """Return whether a call is running that has used the processor since the last look."""
        with self._lock:
            now = self._clock()
            return self._exertion is not None and self._exertion.last_seen(now) == now

    @property
    def seconds_of_call(self) -> float:
        """Return how long the longest call under way has taken; 0 where there is none."""
        with self._lock:
            return self._clock() - self._began[0] if self._began else 0.0

    @property
    def recent(self) -> bool:
        """Return whether the last success is fresh enough to need no probe."""
        with self._lock:
            return self._error is None and self._is_younger(self._fresh)

    def status(self) -> Status:
        """Return whether the service can answer now."""
        if self.draining:
            return Status(False, "the service is going down")
        with self._lock:
            if self._error is not None:
                return Status(False, _reason(self._error))
            if self._hung():
                return Status(False, "a call of the model hangs")
            if self._succeeded is None:
                return Status(False, "the model has not answered yet")
            if self._is_younger(2 * self._fresh) or self._began or self._doubted:
                return Status(True, "the model answers")
            return Status(False, "the model has not answered lately")

    def check(self) -> None:
        """Raise ModelAwayError if it is known that the model would not answer."""
        with self._lock:
            if self._error is not None or self._hung():
                raise ModelAwayError(
                    f"at the moment {_reason(self._error)}; try again in some seconds",
                    retry_after=self._seconds_left(),
                )

    def _seconds_left(self) -> float | None:
        """Return how long the model is to be left alone yet; None where it did not say."""
        if not isinstance(self._error, BackendUnavailableError) or self._error.retry_after is None:
            return None
        return max(self._failed + self._error.retry_after - self._clock(), 0.0)

    def _hung(self) -> bool:
        if not self._began:
            return False
        # The innermost may have begun a moment ago, while no call has gone on for long.
        went_on = max(self._went_on, self._answered_at())
        now, since = self._clock(), min(self._began[-1], went_on)
        if self._exertion is not None:
            since = max(since, self._exertion.last_seen(now))
        return now - since > self._stall

    def _is_younger(self, seconds: float) -> bool:
        return self._succeeded is not None and self._clock() - self._succeeded < seconds


def _reason(error: Exception | None) -> str:
    """Return what keeps the model from answering, without addresses: probes need no key."""
    if isinstance(error, ModelChangedError):
        return changed_words(error)
    return "the model does not answer"
