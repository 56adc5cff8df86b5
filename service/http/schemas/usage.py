"""What an answer took, in tokens."""

from typing import Self

from pydantic import Field

from service.engine.usage import Usage
from service.http.schemas.fields import FingerprintFields, Lenient, Strict


class TokenUsage(Strict):
    """What an answer rests on, at most part of which had to be computed anew."""

    sampled_tokens: int = Field(ge=0, description="Tokens of the sampled continuations.")
    scored_tokens: int = Field(
        ge=0, description="Tokens scored under other texts, or read for meaning vectors."
    )
    cached_tokens: int = Field(ge=0, description="Those of both that the cache knew.")

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """Return the token counts of a request."""
        return cls(
            sampled_tokens=usage.sampled_tokens,
            scored_tokens=usage.scored_tokens,
            cached_tokens=usage.cached_tokens,
        )


class Answer(Strict):
    """What every answer of this service's own has."""

    model: str = Field(description="The model's name.")
    warnings: list[str] | None = Field(
        default=None,
        description="What to know of the answer, as which texts were cut; left out where there is "
        "nothing.",
    )
    usage: TokenUsage
    fingerprint: FingerprintFields


class OpenAIUsage(Lenient):
    """Tokens, under OpenAI's names: scored ones as prompt, sampled ones as completion."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """Return the token counts of a request."""
        return cls(
            prompt_tokens=usage.scored_tokens,
            completion_tokens=usage.sampled_tokens,
            total_tokens=usage.scored_tokens + usage.sampled_tokens,
        )
