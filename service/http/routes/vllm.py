"""vLLM's score routes, so that its clients need only a new URL."""

import time
from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Response

from service.engine.limits import check_answer
from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.json_stream import JsonArray, json_answer, json_bytes
from service.http.schemas.errors import ERRORS
from service.http.schemas.usage import OpenAIUsage
from service.http.schemas.vllm import ScoreRequest, ScoreResponse
from similarity.results import Score

# Bytes of a pair's score in an answer, about.
SCORE_BYTES = 60

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post("/v1/score", summary="As vLLM", response_model=ScoreResponse)
@router.post("/score", summary="As vLLM", response_model=ScoreResponse)
async def score(body: ScoreRequest, call: CallOf) -> Response:
    """Return the similarity of each pair, in order, as its score."""
    pairs = body.text_pairs()
    check_answer(len(pairs) * SCORE_BYTES, call.settings)
    scores, usage = await call.score(pairs, call.prompt_truncation(body))
    items = await call.aside(lambda: list(_items(scores)), len(scores))
    return json_answer(
        {
            "id": f"score-{call.request_id}",
            "object": "list",
            "created": int(time.time()),
            "model": call.model,
            "data": JsonArray.of(items),
            "usage": OpenAIUsage.of(usage).model_dump(),
        }
    )


def _items(scores: Sequence[Score]) -> Iterator[bytes]:
    for i, one in enumerate(scores):
        yield json_bytes({"index": i, "object": "score", "score": one.similarity})
