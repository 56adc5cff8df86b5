"""The rerank routes of Cohere, Jina and vLLM, so that their clients need only a new URL."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Tag

from service.engine.limits import check_answer
from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.json_stream import JsonArray, json_answer, json_bytes
from service.http.reranking import RANKED_BYTES, ranked, rerank_texts
from service.http.schemas.cohere import (
    ApiVersion,
    BilledUnits,
    RerankMeta,
    RerankRequest,
    RerankResponse,
)
from service.http.schemas.errors import ERRORS
from service.http.schemas.fields import FormByFields
from service.http.schemas.tei import RankedText, TextsRerankRequest
from service.http.schemas.usage import OpenAIUsage
from similarity.results import Score

DOCUMENTS_OF_A_SEARCH = 100


AnyRerankRequest = Annotated[
    Annotated[RerankRequest, Tag("(documents)")] | Annotated[TextsRerankRequest, Tag("(texts)")],
    FormByFields(
        {"(texts)": {"texts"}, "(documents)": {"documents"}},
        "there is nothing to rank",
        "give documents as for Cohere, Jina and vLLM, or texts as for text-embeddings-inference",
    ),
]

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post(
    "/v1/rerank", summary="As Jina and vLLM", response_model=RerankResponse | list[RankedText]
)
@router.post(
    "/rerank",
    summary="As Jina and vLLM, or with texts as text-embeddings-inference",
    response_model=RerankResponse | list[RankedText],
)
async def rerank(body: AnyRerankRequest, call: CallOf) -> Response:
    """Return the documents by their similarity to the query, the most similar first."""
    if isinstance(body, TextsRerankRequest):
        return await rerank_texts(body, call)
    return await _rerank(body, call, version="1", documents=True)


@router.post("/v2/rerank", summary="As Cohere", response_model=RerankResponse)
async def rerank_as_cohere(body: RerankRequest, call: CallOf) -> Response:
    """Return the documents by their similarity to the query, the most similar first."""
    return await _rerank(body, call, version="2", documents=False)


async def _rerank(body: RerankRequest, call: CallOf, *, version: str, documents: bool) -> Response:
    names = ("results", "data") if body.of_voyage else ("results",)
    check_answer(len(names) * len(body.documents[: body.limit()]) * RANKED_BYTES, call.settings)
    pairs = await call.aside(body.text_pairs, len(body.documents))
    scores, usage = await call.score(pairs, call.prompt_truncation(body))
    wanted = documents if body.return_documents is None else body.return_documents
    searches = -(-len(body.documents) // DOCUMENTS_OF_A_SEARCH)
    items = await call.aside(lambda: list(_items(scores, body, wanted)), len(scores))
    meta = RerankMeta(
        api_version=ApiVersion(version=version),
        billed_units=BilledUnits(search_units=searches),
        warnings=call.cut_warnings or None,
    )
    return json_answer(
        {
            "id": f"rerank-{call.request_id}",
            "model": call.model,
            **{name: JsonArray.of(items) for name in names},
            "usage": OpenAIUsage.of(usage).model_dump(),
            "meta": meta.model_dump(exclude_none=True),
        }
    )


def _items(scores: Sequence[Score], body: RerankRequest, documents: bool) -> Iterator[bytes]:
    for i in ranked(scores)[: body.limit()]:
        item: dict[str, Any] = {"index": i, "relevance_score": scores[i].similarity}
        if documents:
            given = body.documents[i]
            item["document"] = {"text": given} if isinstance(given, str) else given
        yield json_bytes(item)
