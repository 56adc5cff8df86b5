"""The answer of the probes."""

from typing import Literal

from pydantic import Field

from service.http.schemas.fields import Strict


class HealthStatus(Strict):
    """Whether the service can answer."""

    status: Literal["ok", "unavailable"]
    reason: str = Field(description="One sentence.")
    model: str
    version: str
