"""What a comparison gives back: plain values, and how they become JSON."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from similarity.arrays import FloatArray
from similarity.calibration import Scale, similarity_map
from similarity.config import ComparisonConfig, Settings
from similarity.errors import ConfigError
from similarity.fingerprint import Fingerprint
from similarity.uncertainty import DEFAULT_CONFIDENCE, Interval, check_interval, confidence_interval


@dataclass(frozen=True)
class Trajectory:
    """A sampled continuation of the first text (source 0) or of the second (source 1).

    `ended` is whether the model ended it, rather than the length limit.
    """

    text: str
    source: int
    tokens: int
    ended: bool


@dataclass(frozen=True, kw_only=True)
class Score:
    """The result for one pair, whichever way it was compared.

    Parameters
    ----------
    texts
        As they were given.
    distance, similarity
        The chosen distance, and its map to [0, 1]: on the scale that the fingerprint names, and
        the distance's default where that is "none".
    warnings
        What to know of the texts before the scores are believed; scores do not depend on it.
    """

    texts: tuple[str, str]
    distance: float
    similarity: float
    fingerprint: Fingerprint[Settings]
    warnings: tuple[str, ...] = ()

    @property
    def scale(self) -> Scale:
        """Return the name of the scale that the similarity is on."""
        return self.fingerprint.scale

    def numbers(self) -> dict[str, float]:
        """Return the scores by name."""
        return {"similarity": self.similarity, "distance": self.distance}

    def interval(self, confidence: float = DEFAULT_CONFIDENCE) -> Interval:
        """Return where the scores would be with trajectories without end.

        Raises
        ------
        ConfigError
            If no trajectories were sampled, or the scores have no interval.
        """
        raise ConfigError(
            f"these scores rest on no sample, so they have no interval of {confidence}; compare "
            "by trajectories, the preset 'paper'"
        )

    def to_dict(self, confidence: float | None = None) -> dict[str, Any]:
        """Return all of it as plain values, for JSON; with an interval, if a confidence is given.

        Raises
        ------
        ConfigError
            As `interval` does.
        """
        return {
            **self.numbers(),
            "calibrated": self.fingerprint.calibrated,
            "scale": self.scale,
            "warnings": list(self.warnings),
            **({} if confidence is None else {"interval": self.interval(confidence).to_dict()}),
            "texts": list(self.texts),
            "fingerprint": self.fingerprint.to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class Comparison(Score):
    """The result for one pair by trajectories, and all that explains it.

    Parameters
    ----------
    rows
        What the distance is made of, shape "row trajectory" (`similarity.estimators.table`).
    log_likelihoods
        Shape "text=2 trajectory", nats per token, in the order of `trajectories`.
    describe
        Gives the trajectories: those sampled from the first text, then those from the second.
    """

    fingerprint: Fingerprint[ComparisonConfig]
    rows: FloatArray
    log_likelihoods: FloatArray
    describe: Callable[[], tuple[Trajectory, ...]] = field(repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Return how to pickle it: with its trajectories, as another process lacks the model."""
        known = self.trajectories
        return {**self.__dict__, "describe": partial(tuple[Trajectory, ...], known)}

    @cached_property
    def trajectories(self) -> tuple[Trajectory, ...]:
        """Return those sampled from the first text, then those from the second."""
        return self.describe()

    def most_telling(self, count: int) -> list[int]:
        """Return the numbers of the trajectories whose two likelihoods differ most.

        Of those that read the same only one is returned.
        """
        gaps = np.abs(self.log_likelihoods[0] - self.log_likelihoods[1])
        found: dict[tuple[str, bool], int] = {}
        for i in np.argsort(-gaps, kind="stable"):
            trajectory = self.trajectories[i]
            found.setdefault((trajectory.text, trajectory.ended), int(i))
        return list(found.values())[:count]

    def counts(self, number: int) -> tuple[int, int]:
        """Return how often what a trajectory says was sampled from the first and second text."""
        said = self.trajectories[number]
        sources = [
            other.source
            for other in self.trajectories
            if (other.text, other.ended) == (said.text, said.ended)
        ]
        return sources.count(0), sources.count(1)

    def interval(self, confidence: float = DEFAULT_CONFIDENCE) -> Interval:
        """Return where the scores would be with trajectories without end.

        Raises
        ------
        ConfigError
            If the confidence is not between 0 and 1, there is one trajectory of each text, or
            the distance is `linf`.
        """
        metric = self.fingerprint.config.estimator.distance
        check_interval(metric, self.rows.shape[1] // 2, confidence)
        to_similarity = similarity_map(metric.similarity, self.fingerprint.calibration)
        return confidence_interval(metric, to_similarity, self.rows, confidence, self.distance)

    def to_dict(self, confidence: float | None = None) -> dict[str, Any]:
        """Return all of it as plain values, and the trajectories with their log-likelihoods.

        Raises
        ------
        ConfigError
            As `interval` does.
        """
        everything = range(len(self.trajectories))
        return {**super().to_dict(confidence), "trajectories": self.described(everything)}

    def described(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        """Return trajectories by their numbers as plain values, with their log-likelihoods."""
        return [
            {**asdict(self.trajectories[i]), "log_likelihoods": self.log_likelihoods[:, i].tolist()}
            for i in numbers
        ]


@dataclass(frozen=True, kw_only=True)
class Explanation(ABC):
    """A score with what it is made of, by the method that made it."""

    score: Score
    method: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the score and its parts as plain values, for JSON."""
        return {**Score.to_dict(self.score), "method": self.method, **self.parts()}

    @abstractmethod
    def parts(self) -> dict[str, Any]:
        """Return what the score is made of, as plain values; what there is none of is left out."""


@dataclass(frozen=True, kw_only=True)
class TrajectoryExplanation(Explanation):
    """A score with the trajectories whose two likelihoods differ most."""

    method: ClassVar[str] = "trajectories"
    score: Comparison
    top: int

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the trajectories shown, the most decisive first."""
        return self.score.most_telling(self.top)

    def parts(self) -> dict[str, Any]:
        """Return the trajectories shown, and how often each was sampled from either text."""
        shown = zip(self.numbers, self.score.described(self.numbers), strict=True)
        return {
            "continuations": [
                {**content, "counts": list(self.score.counts(i))} for i, content in shown
            ]
        }


@dataclass(frozen=True, kw_only=True)
class SimilarityMatrix:
    """All comparisons of N row texts with M column texts; arrays have shape "row column"."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    distances: FloatArray
    similarities: FloatArray
    fingerprint: Fingerprint[Settings]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        return {
            "rows": list(self.rows),
            "columns": list(self.columns),
            "similarities": self.similarities.tolist(),
            "calibrated": self.fingerprint.calibrated,
            "scale": self.fingerprint.scale,
            "warnings": list(self.warnings),
            "distances": self.distances.tolist(),
            "fingerprint": self.fingerprint.to_dict(),
        }
