"""OpenAI's embeddings route, so that its clients need only a new URL."""

import base64

from fastapi import APIRouter

from service.engine.limits import check_texts
from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.schemas.errors import ERRORS, error_answer
from service.http.schemas.openai import (
    EmbeddingItem,
    EmbeddingsRequest,
    EmbeddingsResponse,
    EmbeddingsUsage,
)
from similarity.arrays import Rows

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post(
    "/v1/embeddings",
    summary="As OpenAI",
    responses={501: error_answer("The model is served without meaning vectors.")},
)
async def embeddings(body: EmbeddingsRequest, call: CallOf) -> EmbeddingsResponse:
    """Return the meaning vector of each text, in order; their cosines are similarities."""
    texts = body.texts()
    check_texts(dict.fromkeys(texts), call.settings)
    rows, usage = await call.run(lambda model: model.embed(texts, body.dimensions))
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
