"""The parts that requests are worked on in, and whose they are."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.cache import Answer, Stage
from similarity.law import Law
from similarity.models.base import SampleRequest, ScoreRequest


@dataclass(eq=False)
class Client:
    """One request's line of waiting units.

    Parameters
    ----------
    served
        Tokens that the model has worked for it, from where the others stood when it came:
        the least served client is next.
    urgent
        Goes before all others: a probe.
    line
        Units that wait.
    submitted
        Those, and the units in the call being made.
    """

    served: float = 0.0
    urgent: bool = False
    line: deque["Unit"] = field(default_factory=deque)
    submitted: Sequence["Unit"] = ()
    error: Exception | None = None


@dataclass(frozen=True)
class EmbedRequest:
    """The meaning vector of a text, of all coordinates of these groups."""

    text: str
    groups: tuple[str, ...]


Request = SampleRequest | ScoreRequest | EmbedRequest


@dataclass(eq=False)
class Unit:
    """The least that is asked of the model: a text's trajectories, some scores, or its vector.

    `keys` are the cache's, one for a text's trajectories and one for each continuation scored;
    none for what is to be asked in any case.
    """

    request: Request
    law: Law
    keys: tuple[bytes, ...]
    tokens: int
    future: Future[Answer] = field(default_factory=Future)
    began: float | None = None

    @property
    def stage(self) -> Stage:
        """The model's method that serves it."""
        return _STAGES[type(self.request)]


_STAGES: dict[type, Stage] = {
    SampleRequest: "sample",
    ScoreRequest: "score",
    EmbedRequest: "embed",
}


class Batch(list[tuple[Client, Unit]]):
    """Units of one call, of one stage and law, with whose they are."""
