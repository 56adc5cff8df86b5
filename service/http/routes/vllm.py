"""vLLM's score routes, so that its clients need only a new URL."""

import time

from fastapi import APIRouter

from service.engine.limits import check_answer
from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.schemas.errors import ERRORS
from service.http.schemas.usage import OpenAIUsage
from service.http.schemas.vllm import ScoreItem, ScoreRequest, ScoreResponse

# Bytes of a pair's score in an answer, about.
SCORE_BYTES = 60

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post("/v1/score", summary="As vLLM")
@router.post("/score", summary="As vLLM")
async def score(body: ScoreRequest, call: CallOf) -> ScoreResponse:
    """Return the similarity of each pair, in order, as its score."""
    pairs = body.text_pairs()
    check_answer(len(pairs) * SCORE_BYTES, call.settings)
    scores, usage = await call.score(pairs, call.prompt_truncation(body))
    return ScoreResponse(
        id=f"score-{call.request_id}",
        created=int(time.time()),
        model=call.model,
        data=[ScoreItem(index=i, score=one.similarity) for i, one in enumerate(scores)],
        usage=OpenAIUsage.of(usage),
    )
