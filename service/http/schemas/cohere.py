"""Cohere's rerank requests and answers, which are Jina's and vLLM's too."""

from pydantic import ConfigDict, Field

from service.http.schemas.fields import IgnoredModel, Lenient, Text
from service.http.schemas.usage import OpenAIUsage


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

    model: IgnoredModel = None
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
