"""The rerank routes of Cohere, Jina and vLLM, so that their clients need only a new URL."""

from collections.abc import Sequence

from fastapi import APIRouter

from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.schemas.cohere import (
    ApiVersion,
    BilledUnits,
    RerankItem,
    RerankMeta,
    RerankRequest,
    RerankResponse,
    ReturnedDocument,
)
from service.http.schemas.errors import ERRORS
from service.http.schemas.usage import OpenAIUsage
from similarity.results import Score

DOCUMENTS_OF_A_SEARCH = 100

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post("/v1/rerank", summary="As Jina and vLLM", response_model_exclude_none=True)
@router.post("/rerank", summary="As Jina and vLLM", response_model_exclude_none=True)
async def rerank(body: RerankRequest, call: CallOf) -> RerankResponse:
    """Return the documents by their similarity to the query, the most similar first."""
    return await _rerank(body, call, version="1", documents=True)


@router.post("/v2/rerank", summary="As Cohere", response_model_exclude_none=True)
async def rerank_as_cohere(body: RerankRequest, call: CallOf) -> RerankResponse:
    """Return the documents by their similarity to the query, the most similar first."""
    return await _rerank(body, call, version="2", documents=False)


async def _rerank(
    body: RerankRequest, call: CallOf, *, version: str, documents: bool
) -> RerankResponse:
    scores, usage = await call.score(body.text_pairs())
    wanted = documents if body.return_documents is None else body.return_documents
    searches = -(-len(body.documents) // DOCUMENTS_OF_A_SEARCH)
    return RerankResponse(
        id=f"rerank-{call.request_id}",
        model=call.model,
        results=_ranked(scores, body.texts() if wanted else None)[: body.top_n or None],
        usage=OpenAIUsage.of(usage),
        meta=RerankMeta(
            api_version=ApiVersion(version=version),
            billed_units=BilledUnits(search_units=searches),
        ),
    )


def _ranked(scores: Sequence[Score], texts: list[str] | None) -> list[RerankItem]:
    order = sorted(range(len(scores)), key=lambda i: scores[i].distance)
    return [
        RerankItem(
            index=i,
            relevance_score=scores[i].similarity,
            document=ReturnedDocument(text=texts[i]) if texts else None,
        )
        for i in order
    ]
