"""How requests say what is done with texts that are too long, in each dialect's own words."""

from typing import Annotated, Literal

from pydantic import Field

from similarity.truncation import END, REFUSE, START

Truncate = Annotated[
    Literal["refuse", "end", "start"],
    Field(
        description="What is done with texts that are too long: refuse the request, or leave out "
        "their end or start. An answer about texts that were cut has their number in the header "
        "X-Truncated-Texts."
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
# vLLM's; how many tokens it says is not read.
TruncatePromptTokens = Annotated[
    int | None,
    Field(ge=-1, description="Of any value, texts that are too long are cut to what is possible."),
]


def cut_if(wanted: bool | None, direction: str | None = None) -> str:
    """Return the name in `TRUNCATIONS` of what a server's yes or no asks for."""
    if not wanted:
        return REFUSE
    return START if direction in ("left", "Left") else END
