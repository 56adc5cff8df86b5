"""OpenAI's embeddings route, so that its clients need only a new URL."""

import base64

from fastapi import APIRouter, Response

from service.engine.limits import check_answer, check_texts
from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.json_stream import JsonArray, json_answer
from service.http.schemas.errors import ERRORS, error_answer
from service.http.schemas.openai import (
    EmbeddingsRequest,
    EmbeddingsResponse,
    EmbeddingsUsage,
)
from similarity.arrays import Rows

# Bytes of an embedding in an answer, about, besides its numbers; and of each number.
ITEM_BYTES = 60
NUMBER_BYTES = {"float": 13.0, "base64": 16 / 3}

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post(
    "/v1/embeddings",
    summary="As OpenAI",
    response_model=EmbeddingsResponse,
    responses={501: error_answer("The model is served without meaning vectors.")},
)
async def embeddings(body: EmbeddingsRequest, call: CallOf) -> Response:
    """Return the meaning vector of each text, in order; their cosines are similarities."""
    texts = body.texts()
    vectors = call.engine.vectors
    check_texts(dict.fromkeys(texts), call.settings)
    if vectors is not None:
        width = vectors.check_dimensions(body.dimensions)
        size = len(texts) * (ITEM_BYTES + NUMBER_BYTES[body.encoding_format] * width)
        check_answer(size, call.settings)
    rows, usage = await call.run(lambda model: model.embed(texts, body.dimensions))
    encode = _as_base64 if body.encoding_format == "base64" else _as_numbers
    tokens = usage.scored_tokens
    return json_answer(
        {
            "object": "list",
            "data": JsonArray(_item(i, encode(row)) for i, row in enumerate(rows)),
            "model": call.model,
            "usage": EmbeddingsUsage(prompt_tokens=tokens, total_tokens=tokens).model_dump(),
        }
    )


def _item(index: int, embedding: bytes) -> bytes:
    return b'{"object":"embedding","index":%d,"embedding":%s}' % (index, embedding)


def _as_base64(row: Rows) -> bytes:
    return b'"' + base64.b64encode(row.astype("<f4").tobytes()) + b'"'


def _as_numbers(row: Rows) -> bytes:
    """Return the numbers with nine digits, which are enough to have each float32 back."""
    return b"[" + b",".join(b"%.9g" % number for number in row.tolist()) + b"]"
