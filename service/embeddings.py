"""Meaning vectors in the shape of OpenAI's embeddings, so that its clients need only a new URL."""

import base64
from typing import Literal

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from service.borrowed import Lenient, OneOrMany
from service.calls import CallOf
from service.limits import check_texts
from service.routes import ERRORS, error_answer
from similarity.models.base import Rows

router = APIRouter(responses=ERRORS, tags=["borrowed"])


class EmbeddingsRequest(Lenient):
    """OpenAI's embeddings request; token ids are not taken."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "input": "The food was delicious and the waiter...",
                    "model": "text-embedding-3-small",
                    "encoding_format": "float",
                }
            ]
        }
    )

    input: OneOrMany
    model: str | None = Field(
        default=None, description="Taken and left alone: one model is served."
    )
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="Numbers, or the base64 of little-endian float32."
    )
    dimensions: int | None = Field(
        default=None,
        ge=1,
        description="Keep the first coordinates, at most as many as the vectors have.",
    )

    def texts(self) -> list[str]:
        """Return the texts, in order."""
        return [self.input] if isinstance(self.input, str) else self.input


class EmbeddingItem(Lenient):
    """One text's vector, of length 1: the inner product of two is their similarity."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="Numbers, or base64 where that was asked.")


class EmbeddingsUsage(Lenient):
    """Tokens that were read: of the texts, their prompt, and the reference trajectories."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(Lenient):
    """OpenAI's embeddings answer."""

    object: Literal["list"] = "list"
    data: list[EmbeddingItem]
    model: str
    usage: EmbeddingsUsage


@router.post(
    "/v1/embeddings",
    summary="As OpenAI",
    responses={501: error_answer("The model is served without meaning vectors.")},
)
async def embeddings(body: EmbeddingsRequest, call: CallOf) -> EmbeddingsResponse:
    """Return the meaning vector of each text, in order; their cosines are similarities."""
    texts = body.texts()
    check_texts(dict.fromkeys(texts), call.settings)
    rows, usage = await call.run(lambda job: job.embed(texts, body.dimensions))
    return EmbeddingsResponse(
        data=[
            EmbeddingItem(index=i, embedding=_encoded(row, body.encoding_format))
            for i, row in enumerate(rows)
        ],
        model=call.model,
        usage=EmbeddingsUsage(prompt_tokens=usage.scored_tokens, total_tokens=usage.scored_tokens),
    )


def _encoded(row: Rows, encoding: str) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(row.astype("<f4").tobytes()).decode()
    return [float(number) for number in row]
