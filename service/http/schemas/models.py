"""The answer of /v1/models."""

from typing import Literal

from pydantic import Field

from service.http.schemas.fields import Strict


class ModelCard(Strict):
    """A model that is served, as OpenAI lists it, with what identifies its numbers."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="When the service loaded it, in seconds since 1970.")
    owned_by: Literal["trajsim"] = "trajsim"
    revision: str
    dtype: str
    context_length: int = Field(description="How many tokens the model reads at most.")
    preset: str = Field(description="How requests are compared that do not say.")
    presets: list[str] = Field(description="What they may say.")
    images: bool = Field(description="Whether an image may stand where a text may.")
    limits: dict[str, int] = Field(description="The most that one request may have.")


class ModelList(Strict):
    """All models that are served: one."""

    object: Literal["list"] = "list"
    data: list[ModelCard]
