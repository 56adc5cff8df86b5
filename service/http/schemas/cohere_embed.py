"""Cohere's requests for vectors, and their answers."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from service.http.schemas.cohere import ApiVersion
from service.http.schemas.fields import (
    IgnoredModel,
    Lenient,
    Many,
    Text,
    else_refused,
    example,
)
from service.http.schemas.foreign import TEXTS_ALONE, ForeignRequest
from similarity.texts.truncation import END, REFUSE, START

_TRUNCATIONS = {"NONE": REFUSE, "END": END, "START": START}


def _known_scale(kind: object) -> object:
    if kind in ("int8", "uint8"):
        raise ValueError(
            f"{kind} is not given, as how Cohere scales it is not public; use float and scale it "
            "in your store, or use binary or ubinary"
        )
    return kind


Kind = Annotated[Literal["float", "base64", "binary", "ubinary"], BeforeValidator(_known_scale)]


class TextContent(Lenient):
    """A text, as a part of an input."""

    type: Annotated[Literal["text"], else_refused(TEXTS_ALONE)]
    text: Text


class EmbedInput(Lenient):
    """An input of one part: a text."""

    content: Many[TextContent] = Field(max_length=1)


class EmbedRequest(ForeignRequest):
    """Cohere's request for vectors."""

    model_config = example(
        model="embed-v4.0",
        input_type="search_document",
        texts=["hello", "goodbye"],
        embedding_types=["float"],
    )

    model: IgnoredModel = None
    texts: Many[Text] | None = None
    inputs: Many[EmbedInput] | None = Field(default=None, description="In the place of texts.")
    input_type: str | None = Field(default=None, description="Taken and left alone.")
    embedding_types: Many[Kind] | None = Field(
        default=None,
        description="Numbers, the base64 of little-endian float32, or the signs of the numbers: "
        "ubinary has eight in a byte, the first in its highest bit, and binary has those bytes "
        "less 128. On /v1 without it the answer has a plain list of vectors.",
    )
    output_dimension: int | None = Field(
        default=None, ge=1, description="Keep the first coordinates."
    )
    max_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Texts of more tokens are too long as well.",
    )
    truncate: Literal["NONE", "START", "END"] | None = Field(
        default=None,
        description="Of texts that are too long START leaves out the start and END the end, which "
        "is the default; NONE refuses them.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.texts is None) == (self.inputs is None):
            raise ValueError("give texts, or inputs of which each has one text")
        return self

    def all_texts(self) -> list[str]:
        """Return the texts, in order."""
        return self.texts or [one.content[0].text for one in self.inputs or ()]

    def truncated(self) -> str:
        """Return what is done with texts that are too long."""
        return _TRUNCATIONS[self.truncate or "END"]


class InputTokens(Lenient):
    """Counted as Cohere counts them."""

    input_tokens: int


class EmbedMeta(Lenient):
    """What Cohere's clients read beside the vectors."""

    api_version: ApiVersion
    billed_units: InputTokens
    warnings: list[str] | None = Field(
        default=None, description="Of texts that were cut, where there are any."
    )


class EmbeddingsByType(Lenient):
    """The vectors of all texts, in each of the requested types."""

    float_: list[list[float]] | None = Field(default=None, alias="float")
    base64: list[str] | None = None
    binary: list[list[int]] | None = None
    ubinary: list[list[int]] | None = None


class EmbedResponse(Lenient):
    """Cohere's answer of vectors."""

    id: str
    response_type: Literal["embeddings_by_type", "embeddings_floats"]
    embeddings: EmbeddingsByType | list[list[float]]
    texts: list[str]
    meta: EmbedMeta
