"""Explanations of scores, as they stand in openapi.yaml, by the method that made the score."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.http.mistakes import FieldError
from service.http.schemas.fields import Strict
from similarity.results import Explanation as ScoreExplanation
from similarity.results import TrajectoryExplanation


def check_top(body: BaseModel, *, explain: bool) -> None:
    """Raise FieldError if a request has `top`, the size of an explanation that it does not want."""
    if "top" in body.model_fields_set and not explain:
        raise FieldError(
            "top is how many parts an explanation has, and none is requested; give explain: true, "
            "or leave top out",
            "top",
        )


class ExplainedContinuation(Strict):
    """A continuation, and how likely it is after either text."""

    text: str
    source: Literal[0, 1] = Field(
        description="Which text it was sampled from; of both, one of them."
    )
    counts: list[int] = Field(
        min_length=2,
        max_length=2,
        description="How often it was sampled from the first text, and from the second.",
    )
    tokens: int = Field(ge=1, description="How many it has.")
    ended: bool = Field(description="Ended by the model, rather than by max_tokens.")
    log_likelihoods: list[float] = Field(
        min_length=2, max_length=2, description="After either text: mean nats per token."
    )


class TrajectoryExplanationFields(Strict):
    """Why a score by trajectories is what it is."""

    method: Literal["trajectories"] = "trajectories"
    continuations: list[ExplainedContinuation] = Field(
        description="Those whose two likelihoods differ most, the largest difference first."
    )


class ImpliedWordFields(Strict):
    """A word that may follow the texts as their summary, and what it adds to the cosine."""

    word: str = Field(description="Without case and space; some are pieces of words.")
    share: float = Field(
        description="What it adds to the cosine. Below 0 it counts against it, mostly where one "
        "text raises the word and the other does not."
    )
    beyond_usual: list[float] = Field(
        min_length=2,
        max_length=2,
        description="How much likelier than usual it is after either text, and than the average "
        "token: a natural logarithm (nats). Its exponential is how many times.",
    )


class ImpliedWordsFields(Strict):
    """The words that both texts imply beyond the usual, and those that one implies far more."""

    both: list[ImpliedWordFields] = Field(
        description="The largest first, by the lesser of the two in beyond_usual."
    )
    first: list[ImpliedWordFields] = Field(
        description="More after the first text: the largest difference in beyond_usual first. What "
        "is below 0 in the other text counts as 0."
    )
    second: list[ImpliedWordFields] = Field(
        description="More after the second text, in the same order."
    )


class OverlapWord(Strict):
    """A word of the texts, and what its trigrams add to the cosine."""

    word: str = Field(description="Without its case.")
    share: float = Field(
        description="What its pieces of three letters add to the cosine. A word of one text has a "
        "share too where the other text has such pieces; below 0 they count against it."
    )
    counts: list[int] = Field(
        min_length=2, max_length=2, description="How often the first text has it, and the second."
    )


class ReferenceContinuation(Strict):
    """A reference trajectory, and what it adds to the cosine."""

    text: str
    share: float = Field(description="What it adds to the cosine.")
    log_likelihoods: list[float] = Field(
        min_length=2, max_length=2, description="After either text: mean nats per token."
    )
    usual: float = Field(description="On average over general text: mean nats per token.")


class VectorExplanationFields(Strict):
    """Why a score by meaning vectors is what it is."""

    method: Literal["vectors"] = "vectors"
    cosine: float = Field(description="Of the two vectors: the sum of the shares.")
    shares: dict[str, float] = Field(
        description="What each part adds to the cosine: its weight times the cosine of its own."
    )
    weights: dict[str, float] = Field(description="The weight of each part for these two texts.")
    implied: ImpliedWordsFields | None = Field(
        default=None,
        description="Words of the part profile, at most top in each list. Left out where no "
        "profiles are compared.",
    )
    overlap: list[OverlapWord] = Field(
        description="The texts' own words, by the size of their share, the largest first, whether "
        "above 0 or below. What they lack to that part is of the mean of all texts. Empty without "
        "the part trigrams, which preset best has."
    )
    continuations: list[ReferenceContinuation] = Field(
        description="By the size of their share, the largest first, whether above 0 or below. "
        "Empty but with preset trajectories."
    )
    note: str | None = Field(
        default=None, description="Why no words are implied, where the model's server gives none."
    )


Explanation = Annotated[
    TrajectoryExplanationFields | VectorExplanationFields, Field(discriminator="method")
]


def explanation_fields(
    explanation: ScoreExplanation,
) -> TrajectoryExplanationFields | VectorExplanationFields:
    """Return an explanation as it stands in an answer, by the method that made the score."""
    of_trajectories = explanation.method == TrajectoryExplanation.method
    fields = TrajectoryExplanationFields if of_trajectories else VectorExplanationFields
    return fields.model_validate(explanation.parts(), strict=False)
