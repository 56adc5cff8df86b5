"""Requests for the model's tokens, as text-embeddings-inference and vLLM have them."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from service.http.schemas.fields import (
    FormByFields,
    IgnoredModel,
    Lenient,
    OneOrMany,
    Text,
    TokenIdList,
    TokenIdLists,
    else_refused,
    example,
)
from service.http.schemas.foreign import ForeignRequest


class TokenizeRequest(ForeignRequest):
    """Text-embeddings-inference's request for tokens."""

    model_config = example(inputs=["What is Deep Learning?"])

    inputs: OneOrMany
    add_special_tokens: bool = Field(
        True, description="With the tokens that the model wants at the beginning of a text."
    )


class PromptRequest(ForeignRequest):
    """vLLM's request for tokens."""

    model_config = example(prompt="What is Deep Learning?")

    model: IgnoredModel = None
    prompt: Text
    add_special_tokens: bool = True
    return_token_strs: Annotated[
        Literal[False] | None,
        else_refused("give inputs in the place of prompt: the answer then has the tokens' texts"),
    ] = None


AnyTokenizeRequest = Annotated[
    Annotated[TokenizeRequest, Tag("(inputs)")] | Annotated[PromptRequest, Tag("(prompt)")],
    FormByFields(
        {"(prompt)": {"prompt"}, "(inputs)": {"inputs"}},
        "there is no text",
        "give inputs as for text-embeddings-inference, or prompt as for vLLM",
    ),
]


class Token(Lenient):
    """A token of a text; where it stands in it is null for a part of a character."""

    id: int
    text: str
    special: bool = Field(description="Whether it is none of the text's own.")
    start: int | None = Field(description="Characters before it.")
    stop: int | None = Field(description="Characters before its end.")


class TokenizedPrompt(Lenient):
    """vLLM's answer."""

    count: int
    max_model_len: int
    tokens: list[int]


class DecodeRequest(Lenient):
    """Text-embeddings-inference's request for the text of tokens."""

    model_config = example(ids=[[1, 2]])

    ids: TokenIdList | TokenIdLists
    skip_special_tokens: Annotated[
        Literal[True] | None, else_refused("texts are without special tokens here; leave it out")
    ] = None

    def rows(self) -> dict[str, list[int]]:
        """Return the ids of each text, by their place in the request."""
        rows = {f"ids[{i}]": row for i, row in enumerate(self.ids) if isinstance(row, list)}
        return rows or {"ids": [one for one in self.ids if isinstance(one, int)]}


class DetokenizeRequest(Lenient):
    """vLLM's request for the text of tokens."""

    model_config = example(tokens=[1, 2])

    model: IgnoredModel = None
    tokens: TokenIdList


class Prompt(Lenient):
    """vLLM's answer."""

    prompt: str
