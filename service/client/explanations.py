"""What a score is made of, as a client gives it: plain typed values, by the score's method."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


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
class TrajectoryExplanation:
    """A score by the preset paper: the continuations whose likelihoods differ most, first."""

    method: ClassVar[str] = "trajectories"
    continuations: tuple[ExplainedContinuation, ...]


@dataclass(frozen=True, kw_only=True)
class ImpliedWord:
    """A word that may follow the texts as their summary, and what it adds to the cosine.

    Parameters
    ----------
    beyond_usual
        How much likelier than usual it is after either text, and than the average token: a natural
        logarithm (nats).
    """

    word: str
    share: float
    beyond_usual: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class ImpliedWords:
    """The words that both texts imply beyond the usual, and those that one implies far more."""

    both: tuple[ImpliedWord, ...]
    first: tuple[ImpliedWord, ...]
    second: tuple[ImpliedWord, ...]


@dataclass(frozen=True, kw_only=True)
class WordShare:
    """A word of the texts, and what its pieces of three letters add to the cosine.

    Parameters
    ----------
    counts
        How often the first text has it, and the second.
    """

    word: str
    share: float
    counts: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class ContinuationShare:
    """A reference trajectory, and what it adds to the cosine.

    Parameters
    ----------
    log_likelihoods, usual
        After either text, and on average over general text: mean nats per token.
    """

    text: str
    share: float
    log_likelihoods: tuple[float, float]
    usual: float


@dataclass(frozen=True, kw_only=True)
class VectorExplanation:
    """A score by meaning vectors, of any preset but paper: what their cosine is made of.

    Parameters
    ----------
    cosine
        Of the two vectors: the sum of the shares.
    shares, weights
        What each part adds to the cosine, and the weight of each part for these two texts.
    implied
        Words of the part profile; None where no profiles are compared, or the model has no words.
    overlap
        The texts' own words, the largest share first. Empty but with the preset best.
    continuations
        The largest share first. Empty but with the preset trajectories.
    note
        Why no words are implied, where the model's server gives none.
    """

    method: ClassVar[str] = "vectors"
    cosine: float
    shares: Mapping[str, float]
    weights: Mapping[str, float]
    implied: ImpliedWords | None
    overlap: tuple[WordShare, ...]
    continuations: tuple[ContinuationShare, ...]
    note: str | None = None


Explanation = TrajectoryExplanation | VectorExplanation
