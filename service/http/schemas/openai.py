"""OpenAI's embeddings requests and answers."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from service.http.schemas.fields import (
    ImageInput,
    Lenient,
    Many,
    OneOrMany,
    Strict,
    Text,
    TokenIdList,
    TokenIdLists,
    check_one_value,
    else_refused,
    example,
    kind_of,
)
from service.http.schemas.truncation import PromptTruncation, Truncation, check_agree, cut_if
from service.http.token_ids import USUAL
from similarity.texts.truncation import REFUSE


class TextInput(Strict):
    """A text as Jina's clients write it."""

    text: Text


def _kind_of_input(value: object) -> str:
    if isinstance(value, TextInput) or (isinstance(value, dict) and "text" in value):
        return "(object)"
    return kind_of(value)


_OneInput = Annotated[
    Annotated[Text, Tag("(text)")]
    | Annotated[TextInput, Tag("(object)")]
    | Annotated[ImageInput, Tag("(image)")],
    Discriminator(_kind_of_input),
]

_AS_NUMBERS_OR_BASE64 = else_refused(
    "vectors are numbers, or the base64 of little-endian float32: give float or base64, and no "
    "list, or POST /v2/embed for other types"
)


class EmbeddingsRequest(PromptTruncation):
    """OpenAI's embeddings request."""

    model_config = example(
        input="The food was delicious and the waiter...",
        model="text-embedding-3-small",
        encoding_format="float",
    )

    input: OneOrMany | TokenIdList | TokenIdLists | TextInput | ImageInput | Many[_OneInput] = (
        Field(
            description="A text, token ids or an image, or a list of texts and images, or of token "
            "ids. A text may stand in an object, as for Jina. Ids are read as OpenAI's, unless "
            "`tokenizer` is model."
        )
    )
    model: str | None = Field(
        default=None,
        description="One model is served, whatever it is. Of token ids it says which of OpenAI's "
        f"encodings they are of: {USUAL} where OpenAI has no such model.",
    )
    tokenizer: Annotated[
        Literal["model"] | None,
        else_refused("token ids are read as OpenAI's, or as the served model's own: give model"),
        Field(
            description="Whose the token ids in input are: with model the served model's own; "
            "without it OpenAI's, which needs tiktoken beside the service. Ids of another "
            "tokenizer stand for another text, and nothing in them shows it."
        ),
    ] = None
    encoding_format: Annotated[
        Literal["float", "base64"] | None,
        _AS_NUMBERS_OR_BASE64,
        Field(description="Numbers, or the base64 of little-endian float32; null for numbers."),
    ] = "float"
    dimensions: int | None = Field(
        default=None,
        ge=1,
        description="Keep the first coordinates, at most as many as the vectors have.",
    )

    embedding_type: Annotated[
        Literal["float", "base64"] | None,
        _AS_NUMBERS_OR_BASE64,
        Field(description="As encoding_format, under Jina's name."),
    ] = None
    output_dimension: int | None = Field(
        default=None, ge=1, description="As dimensions, under Voyage's name."
    )
    truncation: Truncation = None
    preset: Literal["trajectories", "fast", "meaning", "best"] | None = Field(
        default=None,
        description="Join the vectors whose cosine this preset compares by, as in /v1/similarity; "
        "without it those of the service's own preset, or of meaning where that has no vectors.",
    )

    @model_validator(mode="after")
    def _check_one_meaning(self) -> Self:
        check_one_value(self, "encoding_format", "embedding_type")
        check_one_value(self, "dimensions", "output_dimension")
        check_agree(self, ("truncate", "truncation", "truncate_prompt_tokens"))
        return self

    def encoding(self) -> Literal["float", "base64"]:
        """Return how the answer has each vector."""
        return self.embedding_type or self.encoding_format or "float"

    def width(self) -> int | None:
        """Return how many coordinates to keep; None for all."""
        return self.dimensions or self.output_dimension

    def truncated(self) -> str:
        """Return what is done with texts that are too long; OpenAI refuses them."""
        said = super().truncated()
        cut = cut_if(self.truncation, self.truncation_side)
        return cut if self.truncate is None and said == REFUSE else said

    @property
    def is_one_list_of_ids(self) -> bool:
        """Return whether the input is the token ids of one text."""
        return isinstance(self.input, list) and isinstance(self.input[0], int)

    def all_inputs(self) -> list[str | ImageInput | list[int]]:
        """Return the texts and images, or the token ids of each, in order."""
        if isinstance(self.input, str | ImageInput | TextInput):
            return [_plain(self.input)]
        given: list[str | int | ImageInput | TextInput | list[int]] = list(self.input)
        ids = [one for one in given if isinstance(one, int)]
        return [ids] if ids else [_plain(one) for one in given if not isinstance(one, int)]


def _plain(one: str | ImageInput | TextInput | list[int]) -> str | ImageInput | list[int]:
    return one.text if isinstance(one, TextInput) else one


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
