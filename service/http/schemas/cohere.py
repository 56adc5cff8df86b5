"""Cohere's rerank requests and answers, which are Jina's and vLLM's too."""

from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from service.http.mistakes import FieldError
from service.http.schemas.fields import (
    IgnoredModel,
    Lenient,
    Many,
    Text,
    check_one_value,
    example,
    named_text,
)
from service.http.schemas.json_object import JsonObject
from service.http.schemas.truncation import DocumentTruncation, Truncation, check_agree, cut_if
from service.http.schemas.usage import OpenAIUsage


class RerankRequest(DocumentTruncation):
    """Cohere's and Jina's rerank request."""

    model_config = example(
        query="What is the capital of France?",
        documents=["The capital of Brazil is Brasilia.", "It is Paris."],
        top_n=1,
    )

    model: IgnoredModel = None
    query: Text
    documents: Many[Text | JsonObject] = Field(
        description="Texts, or objects whose `text` is read, or the fields in `rank_fields`.",
    )
    rank_fields: Many[str] | None = Field(
        default=None,
        description="Fields of documents that are objects; joined as lines `name: value`.",
    )
    top_n: int | None = Field(
        default=None, ge=0, description="How many to return; 0 or none for all."
    )
    top_k: int | None = Field(default=None, ge=0, description="As top_n, under Voyage's name.")
    truncation: Truncation = Field(
        default=None,
        description="false refuses texts that are too long; they are cut otherwise, as by Cohere, "
        "Jina and Voyage.",
    )
    return_documents: bool | None = Field(
        default=None,
        description="Whether results repeat their document; on /v2 the default is not to.",
    )

    @property
    def of_voyage(self) -> bool:
        """Return whether it is written as Voyage's clients write it."""
        return bool(self.model_fields_set & {"top_k", "truncation"})

    def truncated(self) -> str:
        """Return what is done with texts that are too long."""
        if self.truncate is None and self.truncate_prompt_tokens is None:
            return cut_if(self.truncation is not False, self.truncation_side)
        return super().truncated()

    @model_validator(mode="after")
    def _check_one_meaning(self) -> Self:
        limits = ("truncate_prompt_tokens", "max_tokens_per_doc")
        check_agree(self, ("truncate", "truncation", *limits))
        check_one_value(self, "top_n", "top_k")
        return self

    def limit(self) -> int | None:
        """Return how many results to give; None for all."""
        return self.top_n or self.top_k or None

    def _text(self, index: int, document: str | dict[str, Any]) -> str:
        if isinstance(document, str):
            return document
        place, fields = f"documents[{index}]", self.rank_fields or ["text"]
        given = [(name, document[name]) for name in fields if document.get(name) is not None]
        if not given:
            raise FieldError(
                f"{place} has none of the fields {', '.join(fields)}; give a text, "
                "an object with text, or rank_fields with the names of its fields",
                place,
            )
        for name, value in given:
            if name == "text" and not isinstance(value, str):
                raise FieldError(f"{place}.text: Input should be a string", f"{place}.text")
        lines = [value if name == "text" else f"{name}: {value}" for name, value in given]
        return named_text("\n".join(lines), place)

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the query with each document, in order.

        Raises
        ------
        InputError
            If a document has no text, or not the fields to rank by; it names the document.
        """
        return [(self.query, self._text(i, d)) for i, d in enumerate(self.documents)]


class ReturnedDocument(Lenient):
    """A document as it is returned: one that was a text as an object with it."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    text: str | None = None


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
    warnings: list[str] | None = Field(
        default=None, description="Of texts that were cut, where there are any."
    )


class RerankResponse(Lenient):
    """Cohere's and Jina's rerank answer, the most relevant document first."""

    id: str
    model: str
    results: list[RerankItem]
    data: list[RerankItem] | None = Field(
        default=None, description="The results again, for Voyage's clients."
    )
    usage: OpenAIUsage
    meta: RerankMeta
