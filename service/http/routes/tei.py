"""Text-embeddings-inference's route, so that its clients need only a new URL."""

from collections.abc import Iterator

from fastapi import APIRouter, Response

from service.http.call import Call, CallOf
from service.http.embedding import as_numbers, embed
from service.http.json_body import JsonRoute
from service.http.json_stream import JsonArray, json_bytes, json_list
from service.http.schemas.errors import ERRORS, error_answer
from service.http.schemas.tei import (
    EmbeddingType,
    EmbedRequest,
    InfoResponse,
    ModelType,
    SentenceSimilarityRequest,
    SimilarityParameters,
    TaskRequest,
    TextsRerankRequest,
)
from service.http.schemas.truncation import cut_if
from similarity.scorers import ScoringRequest
from similarity.version import __version__

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post(
    "/",
    summary="As text-embeddings-inference, by the inputs",
    response_model=list[list[float]] | list[float],
    responses={501: error_answer("The model is served without meaning vectors.")},
)
async def task(body: TaskRequest, call: CallOf) -> Response | list[float]:
    """Return vectors of texts, or the similarities of sentences to a source sentence."""
    if isinstance(body, SentenceSimilarityRequest):
        return await sentence_similarity(body, call)
    return await embeddings(body, call)


@router.post("/similarity", summary="As text-embeddings-inference")
async def sentence_similarity(body: SentenceSimilarityRequest, call: CallOf) -> list[float]:
    """Return the similarity of each sentence to the source sentence, in order."""
    said = body.parameters or SimilarityParameters()
    truncate = cut_if(said.truncate, said.truncation_direction)
    scores, _ = await call.score(body.text_pairs(), ScoringRequest(truncate=truncate))
    return [score.similarity for score in scores]


@router.post(
    "/embed",
    summary="As text-embeddings-inference",
    response_model=list[list[float]],
    responses={501: error_answer("The model is served without meaning vectors.")},
)
async def embeddings(body: EmbedRequest, call: CallOf) -> Response:
    """Return the meaning vector of each text, in order."""
    texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
    truncate = cut_if(body.truncate, body.truncation_direction)
    rows, _ = await embed(texts, call, body.dimensions, truncate=truncate, name="inputs")
    return json_list(JsonArray(as_numbers(row) for row in rows))


@router.get("/info", summary="As text-embeddings-inference")
async def info(call: CallOf) -> InfoResponse:
    """Return the model and the limits of a request."""
    served, settings = call.engine.model.info, call.settings
    return InfoResponse(
        model_id=served.name,
        model_sha=served.revision,
        model_dtype=served.dtype,
        model_type=ModelType(embedding=EmbeddingType(pooling="trajectories")),
        max_concurrent_requests=settings.max_active + settings.max_queued,
        max_input_length=served.context_length,
        max_batch_tokens=settings.batch_tokens,
        max_client_batch_size=settings.max_inputs,
        version=__version__,
    )


async def rerank_texts(body: TextsRerankRequest, call: Call) -> Response:
    """Return the texts by their similarity to the query, the most similar first."""
    truncate = cut_if(body.truncate, body.truncation_direction)
    scores, _ = await call.score(body.text_pairs(), ScoringRequest(truncate=truncate))
    order = sorted(range(len(scores)), key=lambda i: scores[i].distance)

    def items() -> Iterator[bytes]:
        for i in order:
            text = {"text": body.texts[i]} if body.return_text else {}
            yield json_bytes({"index": i, "score": scores[i].similarity, **text})

    return json_list(JsonArray(items()))
