"""Cohere's routes for vectors, so that its clients need only a new URL."""

from typing import Any

from fastapi import APIRouter, Response

from service.http.call import CallOf
from service.http.embedding import (
    as_base64,
    as_bits,
    as_numbers,
    as_signed_bits,
    embed,
    vectors_bytes,
)
from service.http.json_body import JsonRoute
from service.http.json_stream import JsonArray, json_answer
from service.http.schemas.cohere import ApiVersion
from service.http.schemas.cohere_embed import (
    EmbedMeta,
    EmbedRequest,
    EmbedResponse,
    InputTokens,
    Kind,
)
from service.http.schemas.errors import ERRORS, NO_VECTORS
from similarity.scorers import ScoringRequest

_ENCODERS = {
    "float": as_numbers,
    "base64": as_base64,
    "binary": as_signed_bits,
    "ubinary": as_bits,
}

router = APIRouter(
    route_class=JsonRoute,
    responses=ERRORS | NO_VECTORS,
    tags=["compat"],
)


@router.post("/v1/embed", summary="As Cohere", response_model=EmbedResponse)
async def embed_as_before(body: EmbedRequest, call: CallOf) -> Response:
    """Return the meaning vector of each text, in order."""
    return await _embed(body, call, version="1", kinds=body.embedding_types)


@router.post("/v2/embed", summary="As Cohere", response_model=EmbedResponse)
async def embed_by_type(body: EmbedRequest, call: CallOf) -> Response:
    """Return the meaning vector of each text, in order, in each of the requested types."""
    return await _embed(body, call, version="2", kinds=body.embedding_types or ["float"])


async def _embed(
    body: EmbedRequest, call: CallOf, *, version: str, kinds: list[Kind] | None
) -> Response:
    texts = body.all_texts()
    encodings = list(dict.fromkeys(kinds or ["float"]))
    rows, usage = await embed(
        texts,
        call,
        body.output_dimension,
        encodings,
        scoring=ScoringRequest(truncate=body.truncated(), max_text_tokens=body.max_tokens),
        name="texts",
        width_name="output_dimension",
    )

    def encoded(kind: str) -> JsonArray:
        return JsonArray(map(_ENCODERS[kind], rows), vectors_bytes(rows, kind))

    of_kinds: dict[str, Any] = {kind: encoded(kind) for kind in encodings}
    meta = EmbedMeta(
        api_version=ApiVersion(version=version),
        billed_units=InputTokens(input_tokens=usage.scored_tokens),
        warnings=call.cut_warnings or None,
    )
    return json_answer(
        {
            "id": f"embed-{call.request_id}",
            "response_type": "embeddings_by_type" if kinds else "embeddings_floats",
            "embeddings": of_kinds if kinds else of_kinds["float"],
            "texts": texts,
            "meta": meta.model_dump(exclude_none=True),
        }
    )
