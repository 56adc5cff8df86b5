"""Requests and answers of the service's own routes, as they stand in openapi.yaml."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag

from service.fields import Calibrated, DistanceName, FingerprintFields, Strict, Text, TokenId
from service.job import Usage
from similarity.config import MAX_TOKENS, MAX_TRAJECTORIES, ComparisonConfig
from similarity.results import Comparison


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
        names = set(ComparisonSettings.model_fields) & set(type(self).model_fields)
        return ComparisonConfig.build(**self.model_dump(include=names - {"explain", "top"}))


class ComparisonSettings(SamplingSettings):
    """How texts are compared."""

    distance: DistanceName = Field("l1", description="Between the log-likelihoods.")
    explain: bool = Field(False, description="Add the continuations that tell most.")
    top: int = Field(5, ge=1, le=50, description="How many of them.")


def _example(**content: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [content]})


class PairsRequest(ComparisonSettings):
    """Pairs of texts."""

    model_config = _example(pairs=[["A man is playing a guitar.", "Someone plays an instrument."]])

    pairs: list[Annotated[tuple[Text, Text], Field(strict=False)]] = Field(
        min_length=1, description="Pairs of texts."
    )

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs to compare, in order."""
        return self.pairs


class OneToManyRequest(ComparisonSettings):
    """One text and those that it is compared with."""

    model_config = _example(source="A dog runs.", targets=["A puppy is running.", "It rains."])

    source: Text
    targets: list[Text] = Field(min_length=1, description="Each is compared with the source.")

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs to compare, in order."""
        return [(self.source, target) for target in self.targets]


class MatrixRequest(ComparisonSettings):
    """All rows against all columns, or all rows among themselves."""

    model_config = _example(rows=["A dog runs.", "It rains."], columns=["The sun shines."])

    rows: list[Text] = Field(min_length=1)
    columns: list[Text] | None = Field(
        default=None, min_length=1, description="Without it the rows are compared among themselves."
    )

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the cells' pairs, row by row."""
        return [(row, column) for row in self.rows for column in self.columns or self.rows]


def _form(content: object) -> str:
    """Tell the three forms apart by the field that only one has."""
    given = content if isinstance(content, dict) else {}
    if "source" in given or "targets" in given:
        return "source"
    return "rows" if "rows" in given or "columns" in given else "pairs"


SimilarityRequest = Annotated[
    Annotated[PairsRequest, Tag("pairs")]
    | Annotated[OneToManyRequest, Tag("source")]
    | Annotated[MatrixRequest, Tag("rows")],
    Discriminator(_form),
]


class TokenUsage(Strict):
    """What an answer rests on, at most part of which had to be computed anew."""

    sampled_tokens: int = Field(ge=0, description="Tokens of the sampled continuations.")
    scored_tokens: int = Field(ge=0, description="Tokens scored under other texts.")
    cached_tokens: int = Field(ge=0, description="Those of both that the cache knew.")

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """Return the token counts of a job."""
        return cls(
            sampled_tokens=usage.sampled_tokens,
            scored_tokens=usage.scored_tokens,
            cached_tokens=usage.cached_tokens,
        )


class TellingContinuation(Strict):
    """A continuation, and how likely it is after either text."""

    text: str
    source: Literal[0, 1] = Field(description="Which text it was sampled from.")
    tokens: int = Field(ge=1)
    ended: bool = Field(description="Ended by the model, rather than by max_tokens.")
    log_likelihoods: list[float] = Field(
        min_length=2, max_length=2, description="After either text: mean nats per token."
    )


class Explanation(Strict):
    """Why two texts are as far apart as they are."""

    entailment: float = Field(description="Positive where the first entails the second.")
    continuations: list[TellingContinuation] = Field(
        description="Those whose two likelihoods differ most, first the one that tells most."
    )

    @classmethod
    def of(cls, comparison: Comparison, top: int) -> Self:
        """Return the most telling continuations of a comparison."""
        chosen = comparison.most_telling(top)
        return cls(
            entailment=comparison.entailment,
            continuations=[
                TellingContinuation(
                    text=trajectory.text,
                    source=0 if trajectory.source == 0 else 1,
                    tokens=trajectory.tokens,
                    ended=trajectory.ended,
                    log_likelihoods=comparison.log_likelihoods[:, i].tolist(),
                )
                for i in chosen
                for trajectory in (comparison.trajectories[i],)
            ],
        )


class PairResult(Strict):
    """The scores of one pair."""

    similarity: float = Field(ge=0, le=1, description="1 for one meaning.")
    distance: float = Field(ge=0, description="0 for one meaning; its unit is the distance's.")
    explanation: Explanation | None = Field(default=None, description="Where it was asked for.")


class SimilarityResponse(Strict):
    """The scores of all pairs, in order, and what they depend on."""

    model: str = Field(description="The model's name.")
    calibrated: Calibrated
    results: list[PairResult]
    usage: TokenUsage
    fingerprint: FingerprintFields


class MatrixResponse(Strict):
    """The scores of all cells, "row column", and what they depend on."""

    model: str = Field(description="The model's name.")
    calibrated: Calibrated
    similarities: list[list[float]]
    distances: list[list[float]]
    explanations: list[list[Explanation]] | None = Field(
        default=None, description="Where they were asked for."
    )
    usage: TokenUsage
    fingerprint: FingerprintFields


class TrajectoriesRequest(SamplingSettings):
    """Texts to continue."""

    model_config = _example(texts=["A man is playing a guitar."], n_trajectories=3)

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

    model_config = _example(texts=["It rains."], continuations=[" Take an umbrella.", [32, 65]])

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
