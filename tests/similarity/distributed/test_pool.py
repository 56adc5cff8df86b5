from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from similarity.distributed.pool import Call, Pool
from similarity.errors import (
    BackendRefusedError,
    BackendUnavailableError,
    InputError,
    ModelError,
)
from tests.similarity.distributed.fake_ray import (
    FakeRay,
    Handle,
    OutOfMemoryError,
    RayActorError,
    Reference,
)

ALIKE = {"version": "1", "model": {"revision": "a"}}
WANTED = {number: 2 * number for number in range(7)}


class Doubler:
    def __init__(self, fingerprint: dict[str, Any] = ALIKE, losses: int = 0) -> None:
        self._fingerprint, self.losses = fingerprint, losses
        self.error: Exception | None = None
        self.done: list[int] = []

    def fingerprint(self) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return self._fingerprint

    def double(self, number: int) -> int:
        if self.losses:
            self.losses -= 1
            raise RayActorError("The actor died: killed by SIGKILL")
        if number < 0:
            raise InputError("a number is below 0")
        self.done.append(number)
        return 2 * number + 0 // (number != 1000)


@dataclass(frozen=True)
class Double(Call):
    number: int
    losses: int = 0

    def send(self, worker: Any, fingerprint: dict[str, Any]) -> Any:
        assert fingerprint == ALIKE
        return worker.double.remote(self.number)

    def after_loss(self) -> "Double | None":
        return replace(self, losses=self.losses + 1) if self.losses < 2 else None

    def describe(self) -> str:
        return f"number {self.number}"


def doubled(workers: list[Doubler], numbers: range = range(7)) -> dict[int, int]:
    pool = Pool[Double](FakeRay(), [Handle(worker) for worker in workers])
    found = [(call.number, answer) for call, answer in pool.run(map(Double, numbers))]
    assert len(found) == len(numbers)
    return dict(found)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_every_call_is_made_once_by_any_number_of_workers(count: int) -> None:
    workers = [Doubler() for _ in range(count)]
    assert doubled(workers) == WANTED
    assert sorted(number for worker in workers for number in worker.done) == list(range(7))


def test_what_a_lost_worker_had_is_done_again() -> None:
    assert doubled([Doubler(losses=2), Doubler(losses=1)]) == WANTED


def test_a_call_that_loses_workers_again_and_again_is_named() -> None:
    with pytest.raises(ModelError, match="again and again at number 0.*SIGKILL"):
        doubled([Doubler(losses=100)])


def test_what_a_worker_met_is_reported_as_it_is() -> None:
    with pytest.raises(InputError, match="a number is below 0"):
        doubled([Doubler()], range(-1, 0))


def test_a_fault_of_a_worker_is_an_error_of_the_model() -> None:
    with pytest.raises(ModelError, match="a worker failed: .*by zero"):
        doubled([Doubler()], range(1000, 1001))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"version": "2", "model": {"revision": "a"}}, 'version is "1", there "2"'),
        ({"version": "1", "model": {"revision": "b"}}, 'model.revision is "a", there "b"'),
    ],
)
def test_a_worker_of_another_version_or_model_is_refused(
    other: dict[str, Any], message: str
) -> None:
    workers = [Handle(Doubler(other)), Handle(Doubler()), Handle(Doubler())]
    pool = Pool[Double](FakeRay(), workers)  # the last is up first
    with pytest.raises(BackendRefusedError) as refused:
        list(pool.run(map(Double, range(7))))
    first, _, second = message.partition(", there ")
    assert first.split(" is ")[0] in str(refused.value)
    assert second in str(refused.value)


def test_no_more_calls_are_taken_than_there_are_workers() -> None:
    taken = 0

    def calls() -> Iterator[Double]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield Double(number)

    pool = Pool[Double](FakeRay(), [Handle(Doubler()), Handle(Doubler())])
    for done, _ in enumerate(pool.run(calls()), 1):
        assert taken <= done + 3


def test_a_cluster_without_room_is_reported() -> None:
    ray = FakeRay()
    ray.answers = False
    with pytest.raises(BackendUnavailableError, match="no worker was up"):
        Pool[Double](ray, [Handle(Doubler())])


def test_a_worker_that_has_no_memory_for_the_model_is_reported() -> None:
    worker = Doubler()
    worker.error = OutOfMemoryError("the node was running low on memory")
    with pytest.raises(ModelError, match="while it loaded the model: .*low on memory"):
        Pool[Double](FakeRay(), [Handle(worker)])


def test_workers_that_never_come_back_are_reported() -> None:
    class Gone(FakeRay):
        def get(self, reference: Reference) -> Any:
            self.answers = not lost
            return super().get(reference)

    lost: list[bool] = []
    pool = Pool[Double](Gone(), [Handle(Doubler(losses=1))])
    lost.append(True)
    with pytest.raises(BackendUnavailableError, match="all workers were lost"):
        list(pool.run([Double(1)]))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_after_an_error_a_pool_goes_on_with_what_it_is_given_next(count: int) -> None:
    pool = Pool[Double](FakeRay(), [Handle(Doubler()) for _ in range(count)])
    for _ in range(3):
        with pytest.raises(InputError, match="below 0"):
            list(pool.run(map(Double, (-1, 3, 4, -5, 6))))
        found = [(call.number, answer) for call, answer in pool.run(map(Double, range(7)))]
        assert sorted(found) == sorted(WANTED.items())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_an_interrupted_run_left_is_dropped(count: int) -> None:
    pool = Pool[Double](FakeRay(), [Handle(Doubler(losses=1)) for _ in range(count)])
    first = pool.run(map(Double, range(50, 60)))
    next(first)
    found = [(call.number, answer) for call, answer in pool.run(map(Double, range(7)))]
    assert sorted(found) == sorted(WANTED.items())


def test_a_worker_is_waited_for_while_it_makes_a_call_that_was_dropped() -> None:
    class Slow(FakeRay):
        waited = 0

        def wait(self, references: Any, num_returns: int = 1, timeout: float | None = None) -> Any:
            self.waited += timeout is not None
            return super().wait(references, num_returns, timeout)

    def interrupted() -> Iterator[Double]:
        yield Double(1)
        raise KeyboardInterrupt

    ray = Slow()
    pool = Pool[Double](ray, [Handle(Doubler())])
    before = ray.waited
    with pytest.raises(KeyboardInterrupt):
        list(pool.run(interrupted()))
    assert list(pool.run([Double(3)])) == [(Double(3), 6)]
    assert ray.waited == before
