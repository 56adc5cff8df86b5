"""Cuts prompts and prefixes into requests of a bounded size."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from similarity.models.base import ScoreRequest, TokenIds
from similarity.models.vllm_server.wire import Prompt

T = TypeVar("T")


def prompt_batches(
    requests: Sequence[ScoreRequest], max_tokens: int
) -> Iterator[list[tuple[int, Prompt]]]:
    """Yield prompts with the numbers of their requests, about `max_tokens` tokens at a time."""
    prompts = (
        (owner, Prompt(request.prefix, continuation))
        for owner, request in enumerate(requests)
        for continuation in dict.fromkeys(request.continuations)
    )
    return _batches(prompts, lambda one: one[1].tokens, max_tokens)


def prefix_batches(
    prefixes: Sequence[TokenIds], max_tokens: int, max_prefixes: int
) -> Iterator[list[int]]:
    """Yield numbers of prefixes, about `max_tokens` tokens at a time."""
    return _batches(range(len(prefixes)), lambda i: len(prefixes[i]), max_tokens, max_prefixes)


def _batches(
    items: Iterable[T], tokens_of: Callable[[T], int], max_tokens: int, most: int | None = None
) -> Iterator[list[T]]:
    batch: list[T] = []
    tokens = 0
    for item in items:
        if batch and (tokens + tokens_of(item) > max_tokens or len(batch) == most):
            yield batch
            batch, tokens = [], 0
        batch.append(item)
        tokens += tokens_of(item)
    if batch:
        yield batch
