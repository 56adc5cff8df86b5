"""How requests say what is done with texts that are too long, in each dialect's own words."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from service.http.mistakes import FieldError
from service.http.schemas.foreign import ForeignRequest
from similarity.texts.truncation import END, REFUSE, START

Truncate = Annotated[
    Literal["refuse", "end", "start"],
    Field(
        description="What is done with texts that are too long: refuse the request, or leave out "
        "their end or start. An answer about texts that were cut has their number in the header "
        "X-Truncated-Texts, and names them in its warnings if it is an object with such."
    ),
]
Truncation = Annotated[
    bool | None,
    Field(description="Whether texts that are too long are cut rather than refused."),
]
Direction = Annotated[
    Literal["left", "right", "Left", "Right"] | None,
    Field(description="The side where texts are cut; the right without it."),
]

# The side that a text is not cut at.
_OTHER_SIDE = {END: "left", START: "right"}


class PromptTruncation(ForeignRequest):
    """What vLLM's requests say of their prompts' tokens, and this service's own `truncate`."""

    truncate: Truncate | bool | None = None
    truncate_prompt_tokens: int | None = Field(
        default=None,
        ge=-1,
        description="Texts keep so many tokens at most, of whole words, the last ones unless "
        "truncate is end or truncation_side right; -1 is as many as the model takes.",
    )
    truncation_side: Literal["left", "right"] | None = Field(
        default=None,
        description="With truncate_prompt_tokens: left, the default, keeps the last tokens, and "
        "right the first. With truncate: true too, whose default is right.",
    )

    def truncated(self) -> str:
        """Return what is done with texts that are too long: a name in `TRUNCATIONS`."""
        if isinstance(self.truncate, str):
            return self.truncate
        # As vLLM's TokenizeParams: without a side it keeps the last tokens.
        if self.truncate_prompt_tokens is not None:
            return cut_if(True, self.truncation_side or "left")
        return cut_if(self.truncate, self.truncation_side)

    def most_tokens(self) -> int | None:
        """Return how many of its own tokens a text keeps; None for all that the model takes."""
        return None if self.truncate_prompt_tokens == -1 else self.truncate_prompt_tokens

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        if self.truncate_prompt_tokens == 0:
            name = "truncate_prompt_tokens"
            raise FieldError(f"{name} of 0 leaves nothing of a text", name)
        check_agree(self, ("truncate", "truncate_prompt_tokens"))
        if (
            self.truncate == (END if self.truncation_side == "left" else START)
            and self.truncation_side
        ):
            raise ValueError("truncate and truncation_side contradict each other; give one")
        return self


class DocumentTruncation(PromptTruncation):
    """What requests that compare documents with a query may say besides."""

    max_tokens_per_doc: int | None = Field(
        default=None,
        ge=0,
        description="Texts, the query among them, keep so many tokens at most, of whole words, the "
        "first ones unless truncate is start; 0 or none for as many as the model takes.",
    )

    def truncated(self) -> str:
        """Return what is done with texts that are too long: a name in `TRUNCATIONS`."""
        if self.max_tokens_per_doc:
            return START if self.truncate == START else END
        return super().truncated()

    def most_tokens(self) -> int | None:
        """Return how many of its own tokens a text keeps; None for all that the model takes."""
        return self.max_tokens_per_doc or super().most_tokens()

    @model_validator(mode="after")
    def _check_one_limit(self) -> Self:
        if self.max_tokens_per_doc and self.truncate_prompt_tokens is not None:
            raise ValueError(
                "max_tokens_per_doc and truncate_prompt_tokens exclude each other; give one"
            )
        check_agree(self, ("truncate", "max_tokens_per_doc"))
        return self


def check_agree(body: BaseModel, names: Sequence[str]) -> None:
    """Raise ValueError if one of these fields has texts cut that are too long, and one refused."""
    said = {name: _cuts(value) for name in names if (value := getattr(body, name)) is not None}
    cutting = [name for name in said if said[name] is True]
    refusing = [name for name in said if said[name] is False]
    if cutting and refusing:
        first, second = sorted((cutting[0], refusing[0]), key=names.index)
        raise ValueError(f"{first} and {second} contradict each other; give one")


def _cuts(value: object) -> bool | None:
    """Return whether a field has texts cut; None where 0 says nothing of it."""
    if isinstance(value, bool | str):
        return value not in (False, REFUSE)
    return True if value else None


def cut_if(wanted: bool | None, direction: str | None = None) -> str:
    """Return the name in `TRUNCATIONS` that stands for another server's yes or no."""
    if not wanted:
        return REFUSE
    return START if direction in ("left", "Left") else END
