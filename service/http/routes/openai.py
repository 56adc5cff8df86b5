"""OpenAI's embeddings route, so that its clients need only a new URL."""

from fastapi import APIRouter, Response

from service.http.call import CallOf
from service.http.embedding import ITEM_BYTES, as_base64, as_numbers, embed, vectors_bytes
from service.http.json_body import JsonRoute
from service.http.json_stream import JsonArray, json_answer
from service.http.schemas.errors import ERRORS_OF_IMAGES, NO_VECTORS
from service.http.schemas.openai import (
    EmbeddingsRequest,
    EmbeddingsResponse,
    EmbeddingsUsage,
)

router = APIRouter(route_class=JsonRoute, responses=ERRORS_OF_IMAGES, tags=["compat"])


@router.post(
    "/v1/embeddings",
    summary="As OpenAI",
    response_model=EmbeddingsResponse,
    responses=NO_VECTORS,
)
async def embeddings(body: EmbeddingsRequest, call: CallOf) -> Response:
    """Return the meaning vector of each text, in order; their cosines are similarities."""
    encoding = body.encoding()
    count = len(body.input) if isinstance(body.input, list) else 1
    inputs = await call.aside(body.all_inputs, count)
    rows, usage = await embed(
        inputs,
        call,
        body.width(),
        [encoding],
        scoring=call.prompt_truncation(body),
        requested_model=body.model,
        own_ids=body.tokenizer is not None,
        alone=body.is_one_list_of_ids,
        preset=body.preset,
        width_name="output_dimension" if body.dimensions is None else "dimensions",
    )
    encode = as_base64 if encoding == "base64" else as_numbers
    tokens = usage.scored_tokens
    return json_answer(
        {
            "object": "list",
            "data": JsonArray(
                (_item(i, encode(row)) for i, row in enumerate(rows)),
                vectors_bytes(rows, encoding, ITEM_BYTES),
            ),
            "model": call.model,
            "usage": EmbeddingsUsage(prompt_tokens=tokens, total_tokens=tokens).model_dump(),
        }
    )


def _item(index: int, embedding: bytes) -> bytes:
    return b'{"object":"embedding","index":%d,"embedding":%s}' % (index, embedding)
