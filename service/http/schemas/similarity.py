"""Requests and answers of /v1/similarity, as they stand in openapi.yaml."""

from typing import Annotated, Self

from pydantic import Field, Tag, model_validator

from service.http.schemas.explanation import Explanation, check_top, explanation_fields
from service.http.schemas.fields import (
    Calibrated,
    DistanceName,
    FormByFields,
    ImageInput,
    Many,
    NumberOrNone,
    PresetName,
    Repeatable,
    ScaleName,
    Strict,
    TextOrImage,
    example,
)
from service.http.schemas.sampling import SamplingSettings
from service.http.schemas.truncation import Truncate
from service.http.schemas.usage import Answer
from similarity.config import ComparisonConfig
from similarity.results import Explanation as ScoreExplanation
from similarity.results import Score
from similarity.scorers import ScoringRequest


class ComparisonSettings(SamplingSettings):
    """How texts are compared."""

    distance: DistanceName = Field("l1", description="Between the log-likelihoods.")
    explain: bool = Field(False, description="Add what each score is made of.")
    top: int = Field(5, ge=1, le=50, description="How many parts of each kind.")
    interval: NumberOrNone = Field(
        default=None,
        gt=0,
        lt=1,
        description="Add confidence intervals over trajectories, as of 0.95.",
    )
    truncate: Truncate = "refuse"
    preset: PresetName | None = Field(
        default=None,
        description="paper compares by trajectories sampled from both texts; trajectories, fast, "
        "meaning and best by vectors: see /v1/models for those that there are. A request with a "
        "setting of trajectories or with interval is one for paper, and its answer says so; "
        "without any of these the service's own preset holds.",
    )

    @model_validator(mode="after")
    def _check_explanation(self) -> Self:
        check_top(self, explain=self.explain)
        return self

    def scoring(self) -> ScoringRequest:
        """Return what the request says about how to compare."""
        settings = [name for name in _SETTINGS if name in self.model_fields_set]
        if self.interval:
            settings.append("interval")
        return ScoringRequest(
            preset=self.preset,
            config=self.config(),
            given=next(iter(settings), None),
            truncate=self.truncate,
        )

    def config(self) -> ComparisonConfig:
        """Return the library's settings."""
        return ComparisonConfig.build(**self.model_dump(include=set(_SETTINGS)))


_SETTINGS = (*SamplingSettings.model_fields, "distance")


class PairsRequest(ComparisonSettings):
    """Pairs of texts."""

    model_config = example(pairs=[["A dog runs.", "A puppy is running."]])

    pairs: Many[Annotated[tuple[TextOrImage, TextOrImage], Field(strict=False)]] = Field(
        description="Pairs of texts or images."
    )

    def given_pairs(self) -> list[tuple[str | ImageInput, str | ImageInput]]:
        """Return the pairs to compare, in order."""
        return self.pairs


class OneToManyRequest(ComparisonSettings):
    """One text and those that it is compared with."""

    model_config = example(source="A dog runs.", targets=["A puppy is running.", "It rains."])

    source: TextOrImage
    targets: Many[TextOrImage] = Field(description="Each is compared with the source.")

    def given_pairs(self) -> list[tuple[str | ImageInput, str | ImageInput]]:
        """Return the pairs to compare, in order."""
        return [(self.source, target) for target in self.targets]


class MatrixRequest(ComparisonSettings):
    """All rows against all columns, or all rows among themselves."""

    model_config = example(rows=["A dog runs.", "It rains."], columns=["The sun shines."])

    rows: Many[TextOrImage]
    columns: Many[TextOrImage] | None = Field(
        default=None, description="Without it the rows are compared among themselves."
    )


SimilarityRequest = Annotated[
    Annotated[PairsRequest, Tag("(pairs)")]
    | Annotated[OneToManyRequest, Tag("(source)")]
    | Annotated[MatrixRequest, Tag("(rows)")],
    FormByFields(
        {
            "(source)": {"source", "targets"},
            "(rows)": {"rows", "columns"},
            "(pairs)": {"pairs"},
        },
        "there is nothing to compare",
        "give pairs, or source and targets, or rows, with or without columns",
    ),
]


class IntervalFields(Strict):
    """Where the scores would be with trajectories without end."""

    confidence: float = Field(description="The share of seeds whose interval holds the value.")
    distance: list[float] = Field(min_length=2, max_length=2, description="Both ends, from 0 up.")
    similarity: list[float] = Field(
        min_length=2, max_length=2, description="Both ends, from 0 to 1."
    )

    @classmethod
    def of(cls, score: Score, confidence: float) -> Self:
        """Return the interval of a score.

        Raises
        ------
        ConfigError
            If the distance has none, or there is one trajectory of each text.
        """
        return cls(**score.interval(confidence).to_dict())


class PairResult(Strict):
    """The scores of one pair."""

    similarity: float = Field(ge=0, le=1, description="1 for one meaning.")
    distance: float = Field(ge=0, description="0 for one meaning; its unit is the distance's.")
    explanation: Explanation | None = Field(default=None, description="Where it was requested.")
    interval: IntervalFields | None = Field(default=None, description="Where it was requested.")

    @classmethod
    def of(cls, score: Score, explanation: ScoreExplanation | None, interval: float | None) -> Self:
        """Return the scores of a pair with the explanation and interval that were requested."""
        return cls(
            similarity=score.similarity,
            distance=score.distance,
            explanation=None if explanation is None else explanation_fields(explanation),
            interval=None if interval is None else IntervalFields.of(score, interval),
        )


class Compared(Answer):
    """What every answer with scores has."""

    preset: str = Field(description="How the texts were compared.")
    calibrated: Calibrated
    scale: ScaleName
    repeatable: Repeatable


class SimilarityResponse(Compared):
    """The scores of all pairs, in order, and what they depend on."""

    results: list[PairResult]


class MatrixResponse(Compared):
    """The scores of all cells, "row column", and what they depend on."""

    similarities: list[list[float]] = Field(description="From 0 to 1; a list for each row.")
    distances: list[list[float]] = Field(description="A list for each row, from 0 up.")
    explanations: list[list[Explanation]] | None = Field(
        default=None, description="Where they were requested."
    )
    intervals: list[list[IntervalFields]] | None = Field(
        default=None, description="Where they were requested."
    )
