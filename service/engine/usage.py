"""What a request took: tokens, and time by stage."""

from dataclasses import dataclass, field

from service.engine.cache import Answer
from service.engine.work import WorkItem
from similarity.models.base import Continuation

STAGES = ("queue", "tokenize", "sample", "score", "embed", "states")


@dataclass
class Usage:
    """Tokens that an answer rests on, those of them that were known, and where time went.

    `seconds` are of the stages in `STAGES`; to cut long texts is to tokenize, again and again.
    """

    sampled_tokens: int = 0
    scored_tokens: int = 0
    cached_tokens: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))


def answered_tokens(item: WorkItem, answer: Answer) -> int:
    """Return how many tokens an answer rests on."""
    if item.stage == "embed":
        return item.tokens
    return sum(len(p.token_ids) if isinstance(p, Continuation) else len(p) for p in answer)
