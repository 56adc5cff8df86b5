"""Text-embeddings-inference's route, so that its clients need only a new URL."""

from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter, Response

from service.engine.limits import check_answer, check_texts
from service.engine.request_model import RequestModel
from service.http.call import Call, CallOf
from service.http.embedding import as_numbers, embed, vectors_bytes
from service.http.json_body import JsonRoute
from service.http.json_stream import (
    NUMBER_BYTES,
    JsonArray,
    json_bytes,
    json_list,
    number_rows,
)
from service.http.schemas.errors import ERRORS, NO_VECTORS, error_answer
from service.http.schemas.fields import listed
from service.http.schemas.tei import (
    EmbedAllRequest,
    EmbeddingType,
    EmbedRequest,
    InfoResponse,
    ModelType,
    PredictRequest,
    SentenceSimilarityRequest,
    TaskRequest,
)
from similarity.arrays import Rows
from similarity.errors import UnsupportedError
from similarity.models.base import TokenIds
from similarity.prompts import Prompt
from similarity.scorers import ScoringRequest
from similarity.trajectories import encode_prefixes
from similarity.version import __version__

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post(
    "/",
    summary="As text-embeddings-inference, by the inputs",
    response_model=list[list[float]] | list[float],
    responses=NO_VECTORS,
)
async def task(body: TaskRequest, call: CallOf) -> Response:
    """Return vectors of texts, or the similarities of sentences to a source sentence."""
    if isinstance(body, SentenceSimilarityRequest):
        return await sentence_similarity(body, call)
    return await embeddings(body, call)


@router.post("/similarity", summary="As text-embeddings-inference", response_model=list[float])
async def sentence_similarity(body: SentenceSimilarityRequest, call: CallOf) -> Response:
    """Return the similarity of each sentence to the source sentence, in order."""
    scoring = ScoringRequest(truncate=body.truncated())
    pairs = body.text_pairs()
    check_answer(len(pairs) * NUMBER_BYTES, call.settings)
    scores, _ = await call.score(pairs, scoring)
    items = await call.aside(lambda: [json_bytes(one.similarity) for one in scores], len(scores))
    return json_list(JsonArray.of(items))


@router.post(
    "/embed",
    summary="As text-embeddings-inference",
    response_model=list[list[float]],
    responses=NO_VECTORS,
)
async def embeddings(body: EmbedRequest, call: CallOf) -> Response:
    """Return the meaning vector of each text, in order."""
    scoring = ScoringRequest(truncate=body.truncated())
    rows, _ = await embed(
        listed(body.inputs), call, body.dimensions, scoring=scoring, name="inputs"
    )
    return json_list(JsonArray(map(as_numbers, rows), vectors_bytes(rows)))


@router.post(
    "/embed_all",
    summary="As text-embeddings-inference",
    response_model=list[list[list[float]]],
    responses={501: error_answer("The model does not give its states.")},
)
async def token_states(body: EmbedAllRequest, call: CallOf) -> Response:
    """Return the last layer's state at each token of each text, as the network has them.

    These are no meaning vectors, and their cosines no similarities.
    """
    texts, truncate = listed(body.inputs), body.truncated()
    check = partial(check_texts, texts, call.settings, truncate=truncate)
    cost = await call.aside(check, len(texts))
    states, _ = await call.run(lambda model: _states(model, texts, call, truncate), cost)
    items = (b"".join(number_rows(rows, rows.size).parts()) for rows in states)
    return json_list(JsonArray(items, sum(rows.size for rows in states) * NUMBER_BYTES))


@router.post("/predict", summary="Refused", responses={501: error_answer("There are no classes.")})
async def predict(body: PredictRequest) -> None:
    """Refuse: there is no classifier here."""
    raise UnsupportedError(
        "this service compares texts and has no classifier; POST /similarity or /rerank to compare "
        "texts with the names of your classes, or /embed for vectors"
    )


@router.post(
    "/embed_sparse", summary="Refused", responses={501: error_answer("Vectors are dense.")}
)
async def embed_sparse(body: PredictRequest) -> None:
    """Refuse: there are no sparse vectors here."""
    raise UnsupportedError("vectors of this service are dense; POST /embed for them")


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


def _states(model: RequestModel, texts: Sequence[str], call: Call, truncate: str) -> list[Rows]:
    def read(some: Sequence[str]) -> list[TokenIds]:
        found = encode_prefixes(model, some, Prompt(full_stop=False), 0)
        return [prefix.token_ids for prefix in found]

    prefixes = read(call.truncator(read, truncate).cut(texts))
    distinct = list(dict.fromkeys(prefixes))
    # The first shows how wide they are, before all are computed.
    (first,) = model.hidden_states(distinct[:1])
    width = first.shape[1]
    check_answer(sum(map(len, prefixes)) * width * NUMBER_BYTES, call.settings)
    found = dict(zip(distinct, [first, *model.hidden_states(distinct[1:])], strict=True))
    return [found[prefix] for prefix in prefixes]
