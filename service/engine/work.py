"""The items that requests are worked on in, and the queue that each item waits in."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.engine.cache import Answer, Stage
from service.engine.pace import Turn
from similarity.errors import Portable
from similarity.images.image import Content
from similarity.law import Law
from similarity.models.base import SampleRequest, ScoreRequest, TokenIds


@dataclass(eq=False)
class RequestQueue:
    """The items of one request that wait for the model.

    Parameters
    ----------
    served
        Seconds that the model has worked for it, counted from about what was due to the others
        when it was made.
    spent
        Seconds that the model has worked for it.
    urgent
        Goes before all others: a probe.
    long
        Is of a long request: the others have a lead before it.
    waiting
        Items that wait.
    submitted
        Those, and the items in the call being made.
    error
        Why it was cancelled; None while it was not.
    """

    served: float = 0.0
    spent: float = 0.0
    urgent: bool = False
    long: bool = False
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


# Items are joined in one call where none has so many times the steps of another: each of them is
# answered at the end of the call.
MOST_STEPS = 2


class Batch(list[tuple[RequestQueue, WorkItem]]):
    """Items of one call, of one stage and law and about as many steps, each with its queue.

    Attributes
    ----------
    tokens, steps
        Of the call: all tokens, and the steps one after the other.
    turn
        How long its call has taken; None before there is one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens = self.steps = self._fewest_steps = 0
        self._charged = 0.0
        self.turn: Turn | None = None

    @property
    def items(self) -> list[WorkItem]:
        """Return the items alone."""
        return [item for _, item in self]

    def can_take(self, item: WorkItem) -> bool:
        """Return whether an item has the stage and law of the others, and is about as long."""
        if not self:
            return True
        _, first = self[0]
        steps = sorted([self._fewest_steps, self.steps, item.steps])
        alike = (item.stage, item.law) == (first.stage, first.law)
        return alike and steps[-1] <= MOST_STEPS * steps[0]

    def add(self, queue: RequestQueue, item: WorkItem) -> None:
        """Take one more item."""
        self.append((queue, item))
        self.tokens += item.tokens
        self._fewest_steps = min(self._fewest_steps or item.steps, item.steps)
        self.steps = max(self.steps, item.steps)

    def of(self, queue: RequestQueue) -> "Batch":
        """Return the items of one queue, as a call of their own."""
        own = Batch()
        for owner, item in self:
            if owner is queue:
                own.add(owner, item)
        return own

    def charge(self, seconds: float) -> float:
        """Share the time that the call has taken until now among its queues, by their tokens.

        Returns the seconds since it was shared last.
        """
        # Some items have no tokens at all.
        for queue, share in self._shares(seconds).items():
            queue.served += share
            queue.spent += share
        passed, self._charged = seconds - self._charged, seconds
        return passed

    def owed(self, queue: RequestQueue) -> float:
        """Return a queue's share of the time that was not charged yet."""
        return 0.0 if self.turn is None else self._shares(self.turn.total).get(queue, 0.0)

    def _shares(self, seconds: float) -> dict[RequestQueue, float]:
        """Return each queue's share of the time since the last charge, until `seconds`."""
        due = (seconds - self._charged) / (self.tokens + len(self))
        shares: dict[RequestQueue, float] = {}
        for queue, item in self:
            shares[queue] = shares.get(queue, 0.0) + due * (item.tokens + 1)
        return shares


class AbandonedError(Portable, Exception):
    """Nobody waits any more for the answers of a call: it is ended. No other call is."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self.batch = batch
