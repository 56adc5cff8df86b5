"""vLLM's score requests and answers."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, Tag, model_validator

from service.http.mistakes import FieldError
from service.http.schemas.fields import (
    FormByFields,
    IgnoredModel,
    Lenient,
    OneOrMany,
    example,
    listed,
)
from service.http.schemas.truncation import DocumentTruncation
from service.http.schemas.usage import OpenAIUsage


class _Named(DocumentTruncation):
    """A request some of whose fields have two names."""

    @model_validator(mode="before")
    @classmethod
    def _check_one_value(cls, body: Any) -> Any:
        for field in cls.model_fields.values() if isinstance(body, dict) else ():
            if isinstance(names := field.validation_alias, AliasChoices):
                name, other = map(str, names.choices)
                if name in body and other in body and body[name] != body[other]:
                    raise ValueError(f"{name} and {other} contradict each other; give one")
        return body


class QueriesRequest(_Named):
    """vLLM's score request, as it is today."""

    model_config = example(
        queries="What is the capital of France?",
        documents=["The capital of France is Paris.", "Cows are animals."],
    )

    model: IgnoredModel = None
    queries: OneOrMany
    documents: OneOrMany = Field(validation_alias=AliasChoices("documents", "items"))

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs to score: one query with each document, or each with its own.

        Raises
        ------
        FieldError
            If there are several queries, but not as many documents.
        """
        return zipped(self.queries, self.documents, ("queries", "documents"))


class TextsRequest(_Named):
    """vLLM's score request, as it was."""

    model: IgnoredModel = None
    text_1: OneOrMany = Field(validation_alias=AliasChoices("text_1", "data_1"))
    text_2: OneOrMany = Field(validation_alias=AliasChoices("text_2", "data_2"))

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs to score: one text with each, or each with its own.

        Raises
        ------
        FieldError
            If there are several in text_1, but not as many in text_2.
        """
        return zipped(self.text_1, self.text_2, ("text_1", "text_2"))


ScoreRequest = Annotated[
    Annotated[QueriesRequest, Tag("(queries)")] | Annotated[TextsRequest, Tag("(texts)")],
    FormByFields(
        {
            "(texts)": {"text_1", "text_2", "data_1", "data_2"},
            "(queries)": {"queries", "documents", "items"},
        },
        "there is nothing to score",
        "give queries and documents, or text_1 and text_2",
    ),
]


class ScoreItem(Lenient):
    """One pair's score."""

    index: int
    object: Literal["score"] = "score"
    score: float = Field(ge=0, le=1)


class ScoreResponse(Lenient):
    """vLLM's score answer."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    data: list[ScoreItem]
    usage: OpenAIUsage


def zipped(
    first: str | list[str], second: str | list[str], names: tuple[str, str]
) -> list[tuple[str, str]]:
    """Pair one text with each, or each of a list with its own.

    Raises
    ------
    FieldError
        If the first has several texts, but not as many as the second.
    """
    left, right = listed(first), listed(second)
    if len(left) == 1:
        left = left * len(right)
    if len(left) != len(right):
        raise FieldError(
            f"{names[0]} has {len(left)} texts and {names[1]} has {len(right)}; "
            f"give one in {names[0]}, or as many in both",
            names[0],
        )
    return list(zip(left, right, strict=True))
