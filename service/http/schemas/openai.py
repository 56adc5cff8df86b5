"""OpenAI's embeddings requests and answers."""

from typing import Literal

from pydantic import ConfigDict, Field

from service.http.schemas.fields import IgnoredModel, Lenient, OneOrMany


class EmbeddingsRequest(Lenient):
    """OpenAI's embeddings request; token ids are not taken."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "input": "The food was delicious and the waiter...",
                    "model": "text-embedding-3-small",
                    "encoding_format": "float",
                }
            ]
        }
    )

    input: OneOrMany
    model: IgnoredModel = None
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="Numbers, or the base64 of little-endian float32."
    )
    dimensions: int | None = Field(
        default=None,
        ge=1,
        description="Keep the first coordinates, at most as many as the vectors have.",
    )

    def texts(self) -> list[str]:
        """Return the texts, in order."""
        return [self.input] if isinstance(self.input, str) else self.input


class EmbeddingItem(Lenient):
    """One text's vector, of length 1: the inner product of two is their similarity."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="Numbers, or base64 where that was asked.")


class EmbeddingsUsage(Lenient):
    """Tokens that were read: of the texts, their prompt, and the reference trajectories."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(Lenient):
    """OpenAI's embeddings answer."""

    object: Literal["list"] = "list"
    data: list[EmbeddingItem]
    model: str
    usage: EmbeddingsUsage
