"""How requests are cut into the items that the model is given, so that others get a turn."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from similarity.models.base import SampleRequest, TokenIds

# Continuations of one prefix are sampled and scored in items of about so many tokens.
ITEM_TOKENS = 512


def sample_tokens(request: SampleRequest) -> int:
    """Return how many tokens the model works on for a request, at most."""
    return len(request.prefix) + request.n * request.max_tokens


def sampling_items(request: SampleRequest) -> Iterable[SampleRequest]:
    """Cut a request into items of about ITEM_TOKENS, or as many as its text has if those are more.

    Each item reads the text anew, so a long text is not cut into short items.
    """
    n = max(1, max(ITEM_TOKENS, len(request.prefix)) // request.max_tokens)
    numbers = request.numbers
    for start in numbers[::n]:
        yield replace(request, start=start, n=min(n, numbers.stop - start))


def scoring_items(continuations: Sequence[TokenIds]) -> Iterable[tuple[TokenIds, ...]]:
    """Cut continuations into items of about ITEM_TOKENS, so that others get their turn."""
    item: list[TokenIds] = []
    tokens = 0
    for continuation in continuations:
        if item and tokens + len(continuation) > ITEM_TOKENS:
            yield tuple(item)
            item, tokens = [], 0
        item.append(continuation)
        tokens += len(continuation)
    if item:
        yield tuple(item)
