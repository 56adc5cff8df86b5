"""The parts that requests are worked on in, and the queue that each part waits in."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.engine.cache import Answer, Stage
from similarity.images.image import Content
from similarity.law import Law
from similarity.models.base import SampleRequest, ScoreRequest, TokenIds


@dataclass(eq=False)
class RequestQueue:
    """The items of one request that wait for the model.

    Parameters
    ----------
    served
        Tokens that the model has worked for it, counted from the least of the other queues when
        it was made: the least served queue is next.
    urgent
        Goes before all others: a probe.
    waiting
        Items that wait.
    submitted
        Those, and the items in the call being made.
    error
        Why it was cancelled; None while it was not.
    """

    served: float = 0.0
    urgent: bool = False
    waiting: deque["WorkItem"] = field(default_factory=deque)
    submitted: Sequence["WorkItem"] = ()
    error: Exception | None = None


@dataclass(frozen=True)
class EmbedRequest:
    """The features of a text or an image, those of some groups side by side."""

    text: Content
    groups: tuple[str, ...]


@dataclass(frozen=True)
class StatesRequest:
    """The network's states at each token of a prefix."""

    prefix: TokenIds


Request = SampleRequest | ScoreRequest | EmbedRequest | StatesRequest


@dataclass(eq=False)
class WorkItem:
    """The smallest part of a request that the model works on.

    It is for a text's trajectories, some continuations' scores, or a text's vector or states.

    `keys` are the cache's, one for a text's trajectories and one for each continuation scored;
    without keys the cache is passed by.
    """

    request: Request
    law: Law
    keys: tuple[bytes, ...]
    tokens: int
    future: Future[Answer] = field(default_factory=Future)
    began: float | None = None

    @property
    def steps(self) -> int:
        """Return how many steps the model takes one after the other."""
        return self.request.max_tokens if isinstance(self.request, SampleRequest) else 1

    @property
    def stage(self) -> Stage:
        """Return the model's method that serves it."""
        return _STAGES[type(self.request)]


_STAGES: dict[type, Stage] = {
    SampleRequest: "sample",
    ScoreRequest: "score",
    EmbedRequest: "embed",
    StatesRequest: "states",
}


class Batch(list[tuple[RequestQueue, WorkItem]]):
    """Items of one call, of one stage and law, each with its queue."""
