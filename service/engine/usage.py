"""What a request took: tokens, and time by stage."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from service.engine.cache import Answer
from service.engine.work import WorkItem
from similarity.models.base import Continuation

# "other" is what needs no model: comparing, grouping, explaining.
STAGES = ("queue", "tokenize", "sample", "score", "embed", "states", "other")


@dataclass
class Usage:
    """Tokens that an answer rests on, those of them that were known, and where time went.

    `seconds` are of the stages in `STAGES`; to cut long texts is to tokenize, again and again.
    """

    sampled_tokens: int = 0
    scored_tokens: int = 0
    cached_tokens: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    # Tokens that the model would read or write for all that was asked of it, and for what was new;
    # and as many as would be read in the time of other work.
    _asked: int = 0
    _computed: int = 0

    def note(self, items: Sequence[WorkItem], known: Sequence[Answer | None]) -> None:
        """Note what is asked of the model, and what the cache knew of it: None where nothing."""
        for item, answer in zip(items, known, strict=True):
            # Some items have no tokens at all.
            self._asked += item.tokens + 1
            if answer is None:
                self._computed += item.tokens + 1
            else:
                self.cached_tokens += answered_tokens(item, answer)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count as "other" the time within that is of no other stage."""
        began, before = time.monotonic(), sum(self.seconds.values())
        try:
            yield
        finally:
            known = sum(self.seconds.values()) - before
            self.seconds["other"] += max(0.0, time.monotonic() - began - known)

    def note_own(self, cost: int) -> None:
        """Note work beside the model, of which nothing is kept, by what it costs."""
        self._asked += cost
        self._computed += cost

    @property
    def computed(self) -> float:
        """Return which part of what was asked for was new; 0 where nothing was asked."""
        return self._computed / self._asked if self._asked else 0.0


def answered_tokens(item: WorkItem, answer: Answer) -> int:
    """Return how many tokens an answer rests on."""
    if item.stage == "embed":
        return item.tokens
    return sum(len(p.token_ids) if isinstance(p, Continuation) else len(p) for p in answer)
