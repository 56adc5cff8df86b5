"""Requests and answers in the shapes of other servers, so that their clients need only a new URL.

Text-embeddings-inference's /similarity, vLLM's /score, and Cohere's and Jina's /rerank. Fields
that those have and that mean nothing here are taken and left alone.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from service.fields import Text
from similarity.errors import InputError


class Lenient(BaseModel):
    """A value that may have more fields than are read."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class SentencesInput(Lenient):
    """A sentence and those to compare it with."""

    source_sentence: Text
    sentences: list[Text] = Field(min_length=1)


class SentenceSimilarityRequest(Lenient):
    """Text-embeddings-inference's request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "inputs": {
                        "source_sentence": "What is Deep Learning?",
                        "sentences": ["What is Machine Learning?"],
                    }
                }
            ]
        }
    )

    inputs: SentencesInput
    parameters: dict[str, Any] | None = Field(
        default=None,
        description="Taken and left alone; a text that is too long is refused, not cut.",
    )

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs to compare, in order."""
        return [(self.inputs.source_sentence, other) for other in self.inputs.sentences]


OneOrMany = Text | Annotated[list[Text], Field(min_length=1)]


class QueriesRequest(Lenient):
    """vLLM's score request, as it is today."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "queries": "What is the capital of France?",
                    "documents": ["The capital of France is Paris.", "Cows are animals."],
                }
            ]
        }
    )

    model: str | None = Field(
        default=None, description="Taken and left alone: one model is served."
    )
    queries: OneOrMany
    documents: OneOrMany

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs to score: one query with each document, or each with its own.

        Raises
        ------
        InputError
            If there are several queries, but not as many documents.
        """
        return zipped(self.queries, self.documents, ("queries", "documents"))


class TextsRequest(Lenient):
    """vLLM's score request, as it was."""

    model: str | None = Field(
        default=None, description="Taken and left alone: one model is served."
    )
    text_1: OneOrMany
    text_2: OneOrMany

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs to score: one text with each, or each with its own.

        Raises
        ------
        InputError
            If there are several in text_1, but not as many in text_2.
        """
        return zipped(self.text_1, self.text_2, ("text_1", "text_2"))


def _form(content: object) -> str:
    given = content if isinstance(content, dict) else {}
    return "texts" if "text_1" in given or "text_2" in given else "queries"


ScoreRequest = Annotated[
    Annotated[QueriesRequest, Tag("queries")] | Annotated[TextsRequest, Tag("texts")],
    Discriminator(_form),
]


class ScoreItem(Lenient):
    """One pair's score."""

    index: int
    object: Literal["score"] = "score"
    score: float = Field(ge=0, le=1)


class OpenAIUsage(Lenient):
    """Tokens, under OpenAI's names: scored ones as prompt, sampled ones as completion."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ScoreResponse(Lenient):
    """vLLM's score answer."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    data: list[ScoreItem]
    usage: OpenAIUsage


class Document(Lenient):
    """A document as an object, of which the text is read."""

    text: Text


class RerankRequest(Lenient):
    """Cohere's and Jina's rerank request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "query": "What is the capital of France?",
                    "documents": ["The capital of Brazil is Brasilia.", "It is Paris."],
                    "top_n": 1,
                }
            ]
        }
    )

    model: str | None = Field(
        default=None, description="Taken and left alone: one model is served."
    )
    query: Text
    documents: list[Text | Document] = Field(min_length=1)
    top_n: int | None = Field(
        default=None, ge=0, description="How many to return; 0 or none for all."
    )
    return_documents: bool | None = Field(
        default=None,
        description="Whether results repeat their document; on /v2 the default is not to.",
    )

    def texts(self) -> list[str]:
        """Return the documents' texts, in order."""
        return [d if isinstance(d, str) else d.text for d in self.documents]

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the query with each document."""
        return [(self.query, text) for text in self.texts()]


class ReturnedDocument(Lenient):
    """A document as it is returned."""

    text: str


class RerankItem(Lenient):
    """One document's place: `index` is its number in the request."""

    index: int
    relevance_score: float = Field(ge=0, le=1)
    document: ReturnedDocument | None = None


class ApiVersion(Lenient):
    """Cohere's version of the route."""

    version: str


class BilledUnits(Lenient):
    """Counted as Cohere counts them: a search for each hundred documents begun."""

    search_units: int


class RerankMeta(Lenient):
    """What Cohere's clients read beside the results."""

    api_version: ApiVersion
    billed_units: BilledUnits


class RerankResponse(Lenient):
    """Cohere's and Jina's rerank answer, the most relevant document first."""

    id: str
    model: str
    results: list[RerankItem]
    usage: OpenAIUsage
    meta: RerankMeta


def zipped(
    first: str | list[str], second: str | list[str], names: tuple[str, str]
) -> list[tuple[str, str]]:
    """Pair one text with each, or each of a list with its own.

    Raises
    ------
    InputError
        If the first has several texts, but not as many as the second.
    """
    left = [first] if isinstance(first, str) else first
    right = [second] if isinstance(second, str) else second
    if len(left) == 1:
        left = left * len(right)
    if len(left) != len(right):
        raise InputError(
            f"{names[0]} has {len(left)} texts and {names[1]} has {len(right)}; "
            f"give one in {names[0]}, or as many in both"
        )
    return list(zip(left, right, strict=True))
