"""The service's settings: one frozen value, from the environment in this one place."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from similarity.models.loader import DEFAULT_MODEL


class Settings(BaseSettings):
    """Every setting of the service; each is read from `TRAJSIM_<NAME>` too."""

    model_config = SettingsConfigDict(env_prefix="TRAJSIM_", frozen=True, extra="forbid")

    model: str = Field(DEFAULT_MODEL, description="'embedded', 'toy', a folder, or a hub id.")
    device: str = Field("auto", description="auto, cpu or cuda.")
    dtype: str = Field("auto", description="auto, float32, float16 or bfloat16.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    max_pairs: int = Field(256, ge=1, description="Pairs of one request, at most.")
    max_characters: int = Field(20_000, ge=1, description="Characters of one text, at most.")
    max_tokens_per_request: int = Field(
        2_000_000, ge=1, description="Tokens that one request may cost to sample, at most."
    )
    max_body_bytes: int = Field(16 * 2**20, ge=1, description="Bytes of a request's body.")
