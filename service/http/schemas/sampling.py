"""The settings of trajectories in requests."""

from typing import Literal

from pydantic import Field

from service.http.schemas.fields import Number, Strict
from similarity.config import MAX_TOKENS, MAX_TRAJECTORIES, ComparisonConfig


class ScoringSettings(Strict):
    """How texts are read, and continuations of them scored."""

    temperature: Number = Field(1.0, ge=0.01, le=100, description="Divides the logits.")
    top_k: int = Field(0, ge=0, le=2**31 - 1, description="Keep k tokens; 0 keeps all.")
    top_p: Number = Field(1.0, ge=1e-6, le=1, description="Keep this mass; 1 keeps all.")
    score_law: Literal["sampling", "model"] = Field(
        "sampling", description="Score under the law sampled from, or the model as it is."
    )
    prompt: Literal["none", "meaning", "implies", "aligned", "one-word", "essence", "examples"] = (
        Field("none", description="The prompt of this name around each text.")
    )
    full_stop: bool = Field(True, description="End each text in punctuation.")

    def config(self) -> ComparisonConfig:
        """Return the library's settings."""
        fields = SamplingSettings.model_fields.keys() & type(self).model_fields.keys()
        return ComparisonConfig.build(**self.model_dump(include=fields))


class SamplingSettings(ScoringSettings):
    """How trajectories are sampled and scored."""

    n_trajectories: int = Field(
        20, ge=1, le=MAX_TRAJECTORIES, description="Continuations sampled from each text."
    )
    max_tokens: int = Field(
        20, ge=1, le=MAX_TOKENS, description="Tokens of a continuation, at most."
    )
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Of the run.")
