"""What goes into one request: some prompts, prefixes or tokens of many."""

from collections.abc import Iterator, Sequence

from similarity.models.base import ScoreRequest, TokenIds
from similarity.models.vllm_server.wire import Prompt


def prompt_batches(
    requests: Sequence[ScoreRequest], max_tokens: int
) -> Iterator[list[tuple[int, Prompt]]]:
    """Yield prompts with the numbers of their requests, about `max_tokens` tokens at a time."""
    batch: list[tuple[int, Prompt]] = []
    tokens = 0
    for owner, request in enumerate(requests):
        for continuation in dict.fromkeys(request.continuations):
            prompt = Prompt(request.prefix, continuation)
            if batch and tokens + prompt.tokens > max_tokens:
                yield batch
                batch, tokens = [], 0
            batch.append((owner, prompt))
            tokens += prompt.tokens
    if batch:
        yield batch


def prefix_batches(
    prefixes: Sequence[TokenIds], max_tokens: int, max_prefixes: int
) -> Iterator[list[int]]:
    """Yield numbers of prefixes, about `max_tokens` tokens at a time."""
    batch: list[int] = []
    tokens = 0
    for number, prefix in enumerate(prefixes):
        if batch and (tokens + len(prefix) > max_tokens or len(batch) == max_prefixes):
            yield batch
            batch, tokens = [], 0
        batch.append(number)
        tokens += len(prefix)
    if batch:
        yield batch
