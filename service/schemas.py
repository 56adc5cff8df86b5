"""Requests and answers of the HTTP API, as they stand in openapi.yaml."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from similarity.config import MAX_TOKENS, MAX_TRAJECTORIES, ComparisonConfig

Text = Annotated[str, Field(min_length=1, description="A text; not only white space.")]
DistanceName = Literal["l1", "l2", "linf", "symmetric-kl", "hellinger", "total-variation", "cosine"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SimilarityRequest(_Strict):
    """Pairs of texts to compare, and how."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"pairs": [["A man is playing a guitar.", "Someone plays an instrument."]]}
            ]
        }
    )

    pairs: list[tuple[Text, Text]] = Field(min_length=1, description="Pairs of texts.")
    n_trajectories: int = Field(
        20, ge=1, le=MAX_TRAJECTORIES, description="Continuations sampled from each text."
    )
    max_tokens: int = Field(
        20, ge=1, le=MAX_TOKENS, description="Tokens of a continuation, at most."
    )
    temperature: float = Field(1.0, ge=0.01, le=100, description="Divides the logits.")
    top_k: int = Field(0, ge=0, le=2**31 - 1, description="Keep k tokens; 0 keeps all.")
    top_p: float = Field(1.0, ge=1e-6, le=1, description="Keep this mass; 1 keeps all.")
    prompt: Literal["none", "meaning", "implies"] = Field(
        "none", description="A prompt of the paper around each text."
    )
    full_stop: bool = Field(True, description="End each text in punctuation.")
    distance: DistanceName = Field("l1", description="Between the log-likelihoods.")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Of the run.")

    def config(self) -> ComparisonConfig:
        """Return the library's settings."""
        return ComparisonConfig.build(**self.model_dump(exclude={"pairs"}))

    def cost(self) -> int:
        """Return the tokens to sample, at most."""
        texts = {text for pair in self.pairs for text in pair}
        return len(texts) * self.n_trajectories * self.max_tokens


class PairResult(_Strict):
    """The scores of one pair."""

    similarity: float = Field(ge=0, le=1, description="1 for one meaning.")
    distance: float = Field(ge=0, description="0 for one meaning; its unit is the distance's.")


class SimilarityResponse(_Strict):
    """The scores of all pairs, in order, and what they depend on."""

    model: str = Field(description="The model's name.")
    results: list[PairResult]
    fingerprint: dict[str, Any] = Field(
        description="Model and revision, every setting, version; equal ones are comparable."
    )


class Health(_Strict):
    """The service is up, with its model loaded."""

    status: Literal["ok"] = "ok"
    model: str
    version: str


class ErrorDetail(_Strict):
    """What was wrong and what to change."""

    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="One sentence, for people.")


class ErrorResponse(_Strict):
    """The body of every answer that is not a success."""

    error: ErrorDetail
