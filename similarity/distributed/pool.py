"""A pool of workers on a cluster: it gives them calls, and repeats the call of a lost worker.

It knows nothing of what the work is. Another worker may repeat a call.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from similarity.distributed.cluster import Placement
from similarity.distributed.fingerprints import check_same
from similarity.errors import BackendUnavailableError, ModelError, TrajsimError

# How long the pool waits for a first worker to be placed and to load, which may download its
# model, and for one to come back when all are lost.
START_SECONDS, RETURN_SECONDS = 1800.0, 300.0


class Call(ABC):
    """Something for a worker to do, with the same result if it is done twice."""

    @abstractmethod
    def send(self, worker: Any, fingerprint: dict[str, Any]) -> Any:
        """Send the call to a worker; return Ray's reference to its answer.

        A worker whose own fingerprint is another refuses it.
        """

    @abstractmethod
    def after_loss(self) -> "Call | None":
        """Return the call to send next after a worker was lost with this one; None to give up."""

    @abstractmethod
    def describe(self) -> str:
        """Return the name of the call, for messages."""


C = TypeVar("C", bound=Call)


class WorkerLostError(Exception):
    """A worker was lost, with the call that it was making."""


@dataclass
class Pool(Generic[C]):
    """Workers that have the same model, of which each makes one call at a time.

    Parameters
    ----------
    ray
        The package, connected to a cluster.
    workers
        Handles of Ray, of actors that have a method `fingerprint`.

    Attributes
    ----------
    fingerprint
        That of the first worker that is up, which all others must have.
    """

    ray: Any
    workers: list[Any]
    fingerprint: dict[str, Any] = field(init=False)
    _idle: deque[Any] = field(init=False, default_factory=deque)
    # Of what is awaited, by its reference: the worker, and its call; None while it comes up.
    _awaited: dict[Any, tuple[Any, C | None]] = field(init=False, default_factory=dict)
    _waiting: deque[C] = field(init=False, default_factory=deque)
    # The references of calls whose run has ended: nobody wants their answers.
    _dropped: set[Any] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        for worker in self.workers:
            self._await_up(worker)
        up, _ = self.ray.wait(list(self._awaited), num_returns=1, timeout=START_SECONDS)
        if not up:
            raise BackendUnavailableError(
                f"no worker was up within {START_SECONDS:.0f} seconds; is the cluster busy? Give "
                "fewer --workers, CPUs or GPUs"
            )
        worker, _ = self._awaited.pop(up[0])
        try:
            self.fingerprint = self._result(up[0])
        except WorkerLostError as lost:
            raise ModelError(
                f"a worker was lost while it loaded the model: {lost}; give workers more memory"
            ) from lost
        self._idle.append(worker)

    def run(self, calls: Iterable[C]) -> Iterator[tuple[C, Any]]:
        """Make calls, and yield each that is done with its answer, in any order.

        No more calls are taken than there are workers to make them. Calls that an earlier run left,
        because it ended in an error, are dropped.

        Raises
        ------
        TrajsimError
            What a worker met.
        BackendUnavailableError
            If no worker is left, and none comes back.
        """
        self._drop()
        for call in calls:
            self._waiting.append(call)
            self._hand_out()
            while self._waiting:
                yield from self._gather()
                self._hand_out()
        while self._waiting or any(call for _, call in self._awaited.values()):
            yield from self._gather()
            self._hand_out()

    def _await_up(self, worker: Any) -> None:
        self._awaited[worker.fingerprint.remote()] = worker, None

    def _drop(self) -> None:
        """Forget all calls; a worker that makes one is idle once it has answered."""
        self._waiting.clear()
        for reference, (worker, call) in self._awaited.items():
            if call is not None:
                self._awaited[reference] = worker, None
                self._dropped.add(reference)

    def _hand_out(self) -> None:
        while self._idle and self._waiting:
            worker, call = self._idle.popleft(), self._waiting.popleft()
            self._awaited[call.send(worker, self.fingerprint)] = worker, call

    def _gather(self) -> Iterator[tuple[C, Any]]:
        """Wait until a worker has finished its call or has started; yield finished calls."""
        busy = self._dropped or any(call for _, call in self._awaited.values())
        patience = None if busy else RETURN_SECONDS
        done, _ = self.ray.wait(list(self._awaited), num_returns=1, timeout=patience)
        if not done:
            raise BackendUnavailableError(
                f"all workers were lost, and none came back within {RETURN_SECONDS:.0f} seconds; "
                "see to the cluster, and give the same command again"
            )
        (reference,) = done
        worker, call = self._awaited.pop(reference)
        dropped = reference in self._dropped
        self._dropped.discard(reference)
        try:
            answer = self._result(reference)
        except WorkerLostError as lost:
            self._await_up(worker)
            if call is not None:
                self._waiting.append(_after_loss(call, lost))
            return
        except TrajsimError:
            if call is not None or dropped:
                self._idle.append(worker)
            if not dropped:
                raise
            return
        if call is None and not dropped:
            check_same(answer, self.fingerprint)
        self._idle.append(worker)
        if call is not None:
            yield call, answer

    def _result(self, reference: Any) -> Any:
        """Return a worker's answer, or raise the error that it had."""
        errors = self.ray.exceptions
        try:
            return self.ray.get(reference)
        except errors.RayTaskError as error:
            if isinstance(error.cause, TrajsimError):
                raise error.cause from None
            raise ModelError(f"a worker failed: {_last_line(error)}") from error
        except (errors.RayActorError, errors.OutOfMemoryError, errors.ObjectLostError) as error:
            raise WorkerLostError(_last_line(error)) from error


def start_workers(ray: Any, placement: Placement, actor: type, *arguments: Any) -> list[Any]:
    """Start workers on a cluster, each an object of a class; one that dies is started again."""
    options = {"num_cpus": placement.cpus, "num_gpus": placement.gpus, "max_restarts": -1}
    remote = ray.remote(**options)(actor)
    return [remote.remote(*arguments) for _ in range(placement.workers)]


def _after_loss(call: C, lost: WorkerLostError) -> Any:
    again = call.after_loss()
    if again is None:
        raise ModelError(
            f"workers were lost again and again at {call.describe()}, the last one thus: {lost}; "
            "give workers more memory, or look at what these rows are"
        ) from lost
    return again


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
