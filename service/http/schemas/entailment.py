"""Requests and answers of /v1/entailment, as they stand in openapi.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from service.http.schemas.explanation import ImpliedWordsFields, check_top
from service.http.schemas.fields import Many, Number, Strict, Text, example, known
from service.http.schemas.sampling import SamplingSettings
from service.http.schemas.truncation import Truncate
from service.http.schemas.usage import Answer
from similarity.entailment.estimators import DEFAULT, ESTIMATORS
from similarity.entailment.results import Entailment

EstimatorName = Annotated[
    str, known("estimator", ESTIMATORS), Field(json_schema_extra={"enum": list(ESTIMATORS)})
]


class EntailmentRequest(SamplingSettings):
    """Pairs of texts. The settings of trajectories are for the estimator paper alone."""

    model_config = example(pairs=[["A dog runs.", "An animal moves."]])

    pairs: Many[Annotated[tuple[Text, Text], Field(strict=False)]] = Field(
        description="Pairs of texts."
    )
    estimator: EstimatorName | None = Field(
        default=None,
        description="paper reads trajectories, all others profiles. Without one it is "
        f"{DEFAULT} where the service has meaning vectors, else paper.",
    )
    confidence: Number = Field(0.95, gt=0, lt=1, description="Of the intervals.")
    explain: bool = Field(False, description="Add the words that decide, of profiles.")
    top: int = Field(5, ge=1, le=50, description="How many words of each kind.")
    truncate: Truncate = "refuse"

    @model_validator(mode="after")
    def _check_explanation(self) -> Self:
        check_top(self, explain=self.explain)
        return self


class DirectionParts(Strict):
    """What the direction is made of, nats."""

    inclusion: float = Field(description="Log of what backward lacks of 1, less that of forward.")
    evenness: float = Field(description="How much more evenly words may follow the first.")


class DirectionInterval(Strict):
    """Where the direction is, over blocks of tokens or over trajectories."""

    confidence: float = Field(description="Of the interval, as the request named it.")
    direction: list[float] = Field(min_length=2, max_length=2, description="Both ends.")


class ThresholdFields(Strict):
    """What degrees mean, from pairs of unrelated general sentences."""

    related: float = Field(description="What one in a hundred unrelated pairs reaches.")
    same: float = Field(description="What both directions must reach for one meaning.")


class EntailmentResult(Strict):
    """Which text of a pair entails the other."""

    verdict: Literal["first entails second", "second entails first", "both", "neither"]
    forward: float = Field(ge=0, le=1, description="The first entails the second so far.")
    backward: float = Field(ge=0, le=1, description="The second entails the first so far.")
    direction: float = Field(description="Nats: above 0 where the first entails the second.")
    parts: DirectionParts
    interval: DirectionInterval
    words: ImpliedWordsFields | None = Field(default=None, description="Where it was requested.")

    @classmethod
    def of(cls, found: Entailment, top: int | None) -> Self:
        """Return a judgement, with so many words of each kind."""
        content = found.to_dict(top)
        kept = {name: content[name] for name in cls.model_fields if name in content}
        return cls.model_validate(kept, strict=False)


class EntailmentResponse(Answer):
    """The judgements of all pairs, in order, and what they depend on."""

    estimator: str
    thresholds: ThresholdFields
    results: list[EntailmentResult]
