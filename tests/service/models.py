"""Models for the service's tests: the toy model, with faults that a test can turn on."""

import threading

from similarity.errors import BackendUnavailableError
from similarity.models.base import (
    Continuation,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    ignore_progress,
)
from similarity.models.toy import ToyModel

POISON = "poison"


class FaultyModel(ToyModel):
    """Counts its calls; can be held, killed, and dies of a text that has POISON in it."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Semaphore(0)
        self.dead = False
        # While it is held it computes, and does not only wait.
        self.computes = False
        self.alive = True
        self.sampled: list[int] = []
        self.scored: list[int] = []

    def check_alive(self) -> None:
        if not self.alive:
            raise BackendUnavailableError("connection refused")

    def sample(
        self, requests, law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        self.sampled.append(len(requests))
        self._meet_fate(requests)
        return super().sample(requests, law, on_progress)

    def score(self, requests, law, on_progress: OnProgress = ignore_progress):
        self.scored.append(len(requests))
        self._meet_fate(requests)
        return super().score(requests, law, on_progress)

    def _meet_fate(self, requests: list[SampleRequest] | list[ScoreRequest]) -> None:
        self.entered.release()
        while self.computes and not self.free.is_set():
            pass
        self.free.wait()
        if self.dead:
            raise BackendUnavailableError("the backend does not answer")
        if any(POISON in self.decode(request.prefix) for request in requests):
            raise RuntimeError("a fault that nobody foresaw: " + POISON)
