"""What a client takes and gives back: plain typed values."""

from dataclasses import dataclass
from typing import TypedDict


class Settings(TypedDict, total=False):
    """How texts are compared; what is left out is the service's default.

    All but `preset` are of trajectories, and each of them chooses the preset "paper".
    """

    preset: str
    n_trajectories: int
    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    score_law: str
    prompt: str
    full_stop: bool
    distance: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class ExplainedContinuation:
    """A continuation of one of two texts, and its log-likelihood under both (nats per token).

    Parameters
    ----------
    counts
        How often it was sampled from the first text, and from the second.
    """

    text: str
    source: int
    counts: tuple[int, int]
    log_likelihoods: tuple[float, float]
    tokens: int
    ended: bool


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where the scores would be with trajectories without end: both ends of each."""

    confidence: float
    distance: tuple[float, float]
    similarity: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Score:
    """How alike two texts are; with the explanation and interval that were requested.

    Parameters
    ----------
    scale
        What similarities of 0 and 1 mean: "judgements", "general text", "own texts", or "none".
    warnings
        Of the whole answer.
    """

    similarity: float
    distance: float
    scale: str = "none"
    warnings: tuple[str, ...] = ()
    continuations: tuple[ExplainedContinuation, ...] = ()
    interval: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """All rows against all columns, shape "row column"; scale and warnings as of a score."""

    similarities: list[list[float]]
    distances: list[list[float]]
    scale: str = "none"
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """A sampled continuation, and its log-likelihood after its own text (nats per token)."""

    text: str
    token_ids: tuple[int, ...]
    log_likelihood: float
    ended: bool


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A document's number in the request, and its similarity to the query."""

    index: int
    relevance_score: float
