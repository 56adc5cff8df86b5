"""Splits the requests of one call into texts and images, which are read in different ways."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from similarity.models.base import (
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.prefix import ImageTokens

Request = TypeVar("Request", SampleRequest, ScoreRequest, TokenIds)
Answer = TypeVar("Answer")


def by_kind(
    requests: Sequence[Request],
    texts: Callable[[Sequence[Request]], Sequence[Answer]],
    images: Callable[[Sequence[Request]], Sequence[Answer]],
) -> list[Answer]:
    """Return the answer of each request, in order: of all texts together, and of all images."""
    seen = [
        isinstance(request if isinstance(request, tuple) else request.prefix, ImageTokens)
        for request in requests
    ]
    of_text = iter(texts([r for r, is_image in zip(requests, seen, strict=True) if not is_image]))
    of_image = iter(images([r for r, is_image in zip(requests, seen, strict=True) if is_image]))
    return [next(of_image if is_image else of_text) for is_image in seen]


def each(
    one: Callable[[Request], Answer], on_progress: OnProgress = ignore_progress
) -> Callable[[Sequence[Request]], list[Answer]]:
    """Return a function that answers requests one by one, and counts each as finished."""

    def answer(requests: Sequence[Request]) -> list[Answer]:
        answers = []
        for request in requests:
            answers.append(one(request))
            on_progress(1)
        return answers

    return answer
