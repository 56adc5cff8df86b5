"""OpenAI's embeddings requests and answers."""

from typing import Literal

from pydantic import Field

from service.http.schemas.fields import (
    IgnoredModel,
    ImageInput,
    Lenient,
    Many,
    OneOrMany,
    TextOrImage,
    TokenIdList,
    TokenIdLists,
    example,
)
from service.http.schemas.truncation import PromptTruncation, Truncation, cut_if
from similarity.texts.truncation import REFUSE


class EmbeddingsRequest(PromptTruncation):
    """OpenAI's embeddings request."""

    model_config = example(
        input="The food was delicious and the waiter...",
        model="text-embedding-3-small",
        encoding_format="float",
    )

    input: OneOrMany | TokenIdList | TokenIdLists | ImageInput | Many[TextOrImage] = Field(
        description="A text, token ids or an image, or a list of texts and images, or of token "
        "ids. Ids that are not the served model's own are read as those of the model that is "
        "named, where OpenAI has it."
    )
    model: IgnoredModel = None
    encoding_format: Literal["float", "base64"] | None = Field(
        "float", description="Numbers, or the base64 of little-endian float32; null for numbers."
    )
    dimensions: int | None = Field(
        default=None,
        ge=1,
        description="Keep the first coordinates, at most as many as the vectors have.",
    )

    truncation: Truncation = None
    preset: Literal["trajectories", "fast", "meaning", "best"] | None = Field(
        default=None,
        description="Join the vectors whose cosine this preset compares by, as in /v1/similarity; "
        "without it those of the service's own preset, or of meaning where that has no vectors.",
    )

    def truncated(self) -> str:
        """Return what is done with texts that are too long; OpenAI refuses them."""
        said = super().truncated()
        return cut_if(self.truncation) if self.truncate is None and said == REFUSE else said

    def inputs(self) -> list[str | ImageInput | list[int]]:
        """Return the texts and images, or the token ids of each, in order."""
        if isinstance(self.input, str | ImageInput):
            return [self.input]
        given: list[str | int | ImageInput | list[int]] = list(self.input)
        ids = [one for one in given if isinstance(one, int)]
        return [ids] if ids else [one for one in given if not isinstance(one, int)]


class EmbeddingItem(Lenient):
    """One text's vector, of length 1: the inner product of two is their similarity."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="Numbers, or base64 where that was requested.")


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
