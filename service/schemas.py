"""Requests and answers of the service's own routes, as they stand in openapi.yaml."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field

from service.fields import FingerprintFields, Strict, Text, TokenId
from service.job import Usage
from similarity.config import MAX_TOKENS, MAX_TRAJECTORIES, ComparisonConfig


class SamplingSettings(Strict):
    """How trajectories are sampled and scored."""

    n_trajectories: int = Field(
        20, ge=1, le=MAX_TRAJECTORIES, description="Continuations sampled from each text."
    )
    max_tokens: int = Field(
        20, ge=1, le=MAX_TOKENS, description="Tokens of a continuation, at most."
    )
    temperature: float = Field(1.0, ge=0.01, le=100, description="Divides the logits.")
    top_k: int = Field(0, ge=0, le=2**31 - 1, description="Keep k tokens; 0 keeps all.")
    top_p: float = Field(1.0, ge=1e-6, le=1, description="Keep this mass; 1 keeps all.")
    score_law: Literal["sampling", "model"] = Field(
        "sampling", description="Score under the law sampled from, or the model as it is."
    )
    prompt: Literal["none", "meaning", "implies"] = Field(
        "none", description="A prompt of the paper around each text."
    )
    full_stop: bool = Field(True, description="End each text in punctuation.")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Of the run.")

    def config(self) -> ComparisonConfig:
        """Return the library's settings."""
        return ComparisonConfig.build(**self.model_dump(include=set(SamplingSettings.model_fields)))


def example(**content: Any) -> ConfigDict:
    """Return the configuration of a request that has an example."""
    return ConfigDict(json_schema_extra={"examples": [content]})


class TokenUsage(Strict):
    """What an answer rests on, at most part of which had to be computed anew."""

    sampled_tokens: int = Field(ge=0, description="Tokens of the sampled continuations.")
    scored_tokens: int = Field(
        ge=0, description="Tokens scored under other texts, or read for meaning vectors."
    )
    cached_tokens: int = Field(ge=0, description="Those of both that the cache knew.")

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """Return the token counts of a job."""
        return cls(
            sampled_tokens=usage.sampled_tokens,
            scored_tokens=usage.scored_tokens,
            cached_tokens=usage.cached_tokens,
        )


class TrajectoriesRequest(SamplingSettings):
    """Texts to continue."""

    model_config = example(texts=["A man is playing a guitar."], n_trajectories=3)

    texts: list[Text] = Field(min_length=1)


class TrajectoryItem(Strict):
    """A sampled continuation."""

    text: str
    token_ids: list[int]
    log_likelihood: float = Field(description="After its own text: mean nats per token.")
    ended: bool = Field(description="Ended by the model, rather than by max_tokens.")


class TrajectoriesResponse(Strict):
    """The continuations of each text, in order."""

    model: str
    trajectories: list[list[TrajectoryItem]] = Field(description='Shape "text trajectory".')
    usage: TokenUsage
    fingerprint: FingerprintFields


class LikelihoodsRequest(SamplingSettings):
    """Texts, and continuations to score after each of them."""

    model_config = example(texts=["It rains."], continuations=[" Take an umbrella.", [32, 65]])

    texts: list[Text] = Field(min_length=1)
    continuations: list[
        Annotated[str, Field(min_length=1)] | Annotated[list[TokenId], Field(min_length=1)]
    ] = Field(
        min_length=1,
        description="As text, which is put right behind each text (begin it with a space), or "
        "as token ids.",
    )


class LikelihoodsResponse(Strict):
    """The log-likelihood matrix."""

    model: str
    log_likelihoods: list[list[float]] = Field(
        description='Shape "text continuation": mean nats per token.'
    )
    usage: TokenUsage
    fingerprint: FingerprintFields


class ModelCard(Strict):
    """A model that is served, as OpenAI lists it, with what identifies its numbers."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="When the service loaded it, in seconds since 1970.")
    owned_by: Literal["trajsim"] = "trajsim"
    revision: str
    dtype: str
    context_length: int
    preset: str = Field(description="How requests are compared that do not say.")
    presets: list[str] = Field(description="What they may say.")
    limits: dict[str, int] = Field(description="What one request may ask for.")


class ModelList(Strict):
    """All models that are served: one."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class HealthStatus(Strict):
    """Whether the service can answer."""

    status: Literal["ok", "unavailable"]
    reason: str = Field(description="One sentence.")
    model: str
    version: str


class ErrorDetail(Strict):
    """What was wrong and what to change."""

    message: str = Field(description="One sentence, for people.")
    type: str
    param: None = None
    code: str = Field(description="Stable, for programs.")
    request_id: str = Field(description="Also in the header X-Request-Id, and in the logs.")


class ErrorResponse(Strict):
    """The body of every answer that is not a success; OpenAI's shape."""

    error: ErrorDetail
