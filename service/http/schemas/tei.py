"""Text-embeddings-inference's requests and answers."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from service.http.schemas.fields import (
    LEFT_IF_READ,
    Lenient,
    Many,
    OneOrMany,
    Text,
    example,
)
from service.http.schemas.foreign import ForeignRequest
from service.http.schemas.truncation import Direction, Truncation, cut_if


class Truncating(ForeignRequest):
    """What its requests say of texts that are too long."""

    truncate: Truncation = None
    truncation_direction: Direction = None

    def truncated(self) -> str:
        """Return what is done with texts that are too long."""
        return cut_if(self.truncate, self.truncation_direction)


class _Inputs(Truncating):
    """Texts, of which each is read by itself."""

    inputs: OneOrMany


class EmbedRequest(_Inputs):
    """Text-embeddings-inference's request for vectors."""

    model_config = example(inputs=["What is Deep Learning?"])

    normalize: bool | None = Field(
        default=None, description="Taken and left alone: vectors have length 1."
    )
    dimensions: int | None = Field(default=None, ge=1, description="Keep the first coordinates.")


class EmbedAllRequest(_Inputs):
    """Text-embeddings-inference's request for a vector of each token."""


class PredictRequest(Lenient):
    """Text-embeddings-inference's request for classes of texts, of which there are none here."""

    inputs: Any


class EmbeddingType(Lenient):
    """How vectors are made of a text's tokens."""

    pooling: str


class ModelType(Lenient):
    """What the model is for."""

    embedding: EmbeddingType


class InfoResponse(Lenient):
    """Text-embeddings-inference's description of itself, as its clients read it."""

    model_id: str
    model_sha: str
    model_dtype: str
    model_type: ModelType
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_client_batch_size: int
    version: str


class SentencesInput(Lenient):
    """A sentence and those to compare it with."""

    source_sentence: Text
    sentences: Many[Text]


class SentenceSimilarityRequest(Truncating):
    """Text-embeddings-inference's request."""

    model_config = example(
        inputs={
            "source_sentence": "What is Deep Learning?",
            "sentences": ["What is Machine Learning?"],
        }
    )

    inputs: SentencesInput
    parameters: Truncating | None = None

    def truncated(self) -> str:
        """Return what is done with texts that are too long, said in parameters or beside them."""
        said = self if self.parameters is None else self.parameters
        return cut_if(
            self.truncate if said.truncate is None else said.truncate,
            said.truncation_direction or self.truncation_direction,
        )

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs to compare, in order."""
        return [(self.inputs.source_sentence, other) for other in self.inputs.sentences]


def _kind_of_inputs(content: object) -> str:
    inputs = content.get("inputs") if isinstance(content, dict) else None
    return "(sentences)" if isinstance(inputs, dict) else "(texts)"


# What is sent to the address itself: one of the two tasks, distinguished by their inputs.
TaskRequest = Annotated[
    Annotated[EmbedRequest, Tag("(texts)")]
    | Annotated[SentenceSimilarityRequest, Tag("(sentences)")],
    Discriminator(_kind_of_inputs),
    LEFT_IF_READ,
]


class TextsRerankRequest(Truncating):
    """Text-embeddings-inference's rerank request."""

    query: Text
    texts: Many[Text]
    raw_scores: bool = Field(
        False, description="Taken and left alone: scores are similarities either way."
    )
    return_text: bool = Field(False, description="Whether results repeat their text.")
    top_n: int | None = Field(
        default=None,
        ge=0,
        description="How many to return, as litellm sends it; 0 or none for all.",
    )

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the query with each text."""
        return [(self.query, text) for text in self.texts]


class RankedText(Lenient):
    """One text's place: `index` is its number in the request."""

    index: int
    score: float = Field(ge=0, le=1)
    text: str | None = None
