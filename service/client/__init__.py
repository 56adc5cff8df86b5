"""A client of the service, in two kinds: `Client` waits, `AsyncClient` is awaited.

It needs httpx and httpx-retries. Answers that say "later" (429, 503) and broken connections are
tried again, after what `Retry-After` says. To send a request twice is harmless, as an answer is a
function of its request.

    with Client("http://127.0.0.1:8000") as client:
        print(client.similarity([("A dog runs.", "A puppy is running.")])[0].similarity)
"""

from service.client.async_client import AsyncClient
from service.client.errors import ApiError, NotReachedError, UnexpectedAnswerError
from service.client.explanations import (
    ContinuationShare,
    ExplainedContinuation,
    Explanation,
    ImpliedWord,
    ImpliedWords,
    TrajectoryExplanation,
    VectorExplanation,
    WordShare,
)
from service.client.images import ImageInput, image
from service.client.sync_client import Client
from service.client.values import (
    About,
    Interval,
    Matrix,
    Ranked,
    Results,
    Score,
    Settings,
    Trajectory,
)

__all__ = [
    "About",
    "ApiError",
    "AsyncClient",
    "Client",
    "ContinuationShare",
    "ExplainedContinuation",
    "Explanation",
    "ImageInput",
    "ImpliedWord",
    "ImpliedWords",
    "Interval",
    "Matrix",
    "NotReachedError",
    "Ranked",
    "Results",
    "Score",
    "Settings",
    "Trajectory",
    "TrajectoryExplanation",
    "UnexpectedAnswerError",
    "VectorExplanation",
    "WordShare",
    "image",
]
