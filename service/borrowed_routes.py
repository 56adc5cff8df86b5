"""Routes in the shapes of other servers: text-embeddings-inference, vLLM, Cohere and Jina."""

import time
from collections.abc import Sequence

from fastapi import APIRouter

from service.borrowed import (
    ApiVersion,
    BilledUnits,
    OpenAIUsage,
    RerankItem,
    RerankMeta,
    RerankRequest,
    RerankResponse,
    ReturnedDocument,
    ScoreItem,
    ScoreRequest,
    ScoreResponse,
    SentenceSimilarityRequest,
)
from service.calls import CallOf
from service.job import Usage
from service.routes import ERRORS
from similarity.results import Score

DOCUMENTS_OF_A_SEARCH = 100

router = APIRouter(responses=ERRORS, tags=["borrowed"])


@router.post("/similarity", summary="As text-embeddings-inference")
async def sentence_similarity(body: SentenceSimilarityRequest, call: CallOf) -> list[float]:
    """Return the similarity of each sentence to the source sentence, in order."""
    scores, _ = await call.score(body.text_pairs())
    return [score.similarity for score in scores]


@router.post("/v1/score", summary="As vLLM")
@router.post("/score", summary="As vLLM")
async def score(body: ScoreRequest, call: CallOf) -> ScoreResponse:
    """Return the similarity of each pair, in order, as its score."""
    scores, usage = await call.score(body.text_pairs())
    return ScoreResponse(
        id=f"score-{call.request_id}",
        created=int(time.time()),
        model=call.model,
        data=[ScoreItem(index=i, score=one.similarity) for i, one in enumerate(scores)],
        usage=_usage(usage),
    )


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
        usage=_usage(usage),
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


def _usage(usage: Usage) -> OpenAIUsage:
    return OpenAIUsage(
        prompt_tokens=usage.scored_tokens,
        completion_tokens=usage.sampled_tokens,
        total_tokens=usage.scored_tokens + usage.sampled_tokens,
    )
