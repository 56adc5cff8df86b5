"""What a client takes and gives back: plain typed values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar

from service.client.explanations import ContinuationShare, ExplainedContinuation, Explanation

Item = TypeVar("Item")


class Settings(TypedDict, total=False):
    """How texts are compared; what is left out is the service's default.

    All but `preset` and `truncate` are of trajectories, and each of them chooses the preset
    "paper".
    """

    preset: str
    truncate: str
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
class About:
    """What the service says of a whole answer.

    Parameters
    ----------
    model
        The model's name.
    usage
        Tokens by kind, such as `scored_tokens`: what the answer rests on.
    request_id
        To find the request in the service's logs.
    warnings
        Of texts that the model hardly knows, or that were cut.
    fingerprint
        Model and revision, every setting, version. Answers with equal ones can be compared. None
        of `rerank`.
    preset, calibrated, repeatable
        How texts were compared, whether similarities are on a scale fitted for it, and whether
        the same request gets the same distances. None but of scores.
    """

    model: str
    usage: Mapping[str, int]
    request_id: str | None
    warnings: tuple[str, ...] = ()
    fingerprint: Mapping[str, Any] | None = None
    preset: str | None = None
    calibrated: bool | None = None
    repeatable: bool | None = None


class Results(list[Item]):
    """A list of results, in order, and what the service says of all of them.

    Attributes
    ----------
    about
        Of the answer that they came in.
    """

    def __init__(self, items: Iterable[Item], about: About) -> None:
        super().__init__(items)
        self.about = about


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
    explanation: Explanation | None = None
    interval: Interval | None = None

    @property
    def continuations(
        self,
    ) -> tuple[ExplainedContinuation, ...] | tuple[ContinuationShare, ...]:
        """Return those of the explanation; there are none without one."""
        return () if self.explanation is None else self.explanation.continuations


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """All rows against all columns, shape "row column"; scale and warnings as of a score.

    Parameters
    ----------
    explanations, intervals
        Of each cell, where they were requested.
    about
        What the service says of the whole answer.
    """

    similarities: list[list[float]]
    distances: list[list[float]]
    scale: str = "none"
    warnings: tuple[str, ...] = ()
    explanations: list[list[Explanation]] | None = None
    intervals: list[list[Interval]] | None = None
    about: About = field(compare=False)


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
