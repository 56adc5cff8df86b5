"""Ray's calls as they are used, without processes: workers answer at once, or are lost on order."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any


class RayTaskError(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class RayActorError(Exception):
    pass


class OutOfMemoryError(Exception):
    pass


class ObjectLostError(Exception):
    pass


class Reference:
    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work


class Handle:
    """A worker by its object, whose methods are called when their answer is asked for."""

    def __init__(self, of: Any) -> None:
        self._of = of

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._of, name)
        return SimpleNamespace(remote=lambda *given: Reference(lambda: method(*given)))


class FakeRay:
    exceptions = SimpleNamespace(
        RayTaskError=RayTaskError,
        RayActorError=RayActorError,
        OutOfMemoryError=OutOfMemoryError,
        ObjectLostError=ObjectLostError,
    )

    def __init__(self, resources: dict[str, float] | None = None, machines: int = 1) -> None:
        self._resources = resources or {"CPU": 2.0}
        self._machines = machines
        self.answers = True
        self._turn = 0

    def cluster_resources(self) -> dict[str, float]:
        return self._resources

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True}] * self._machines

    def wait(
        self, references: Sequence[Reference], num_returns: int = 1, timeout: float | None = None
    ) -> tuple[list[Reference], list[Reference]]:
        # The last that was asked is done first, then the first: order is not kept by chance.
        waited = list(references)
        if self._turn % 2:
            waited.reverse()
        self._turn += 1
        done = waited[-num_returns:] if self.answers or timeout is None else []
        return done, [each for each in references if each not in done]

    def get(self, reference: Reference) -> Any:
        try:
            return reference.work()
        except (RayActorError, OutOfMemoryError, ObjectLostError):
            raise
        except Exception as error:
            raise RayTaskError(error) from error
