"""Text-embeddings-inference's route, so that its clients need only a new URL."""

from fastapi import APIRouter

from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.schemas.errors import ERRORS
from service.http.schemas.tei import SentenceSimilarityRequest

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post("/similarity", summary="As text-embeddings-inference")
async def sentence_similarity(body: SentenceSimilarityRequest, call: CallOf) -> list[float]:
    """Return the similarity of each sentence to the source sentence, in order."""
    scores, _ = await call.score(body.text_pairs())
    return [score.similarity for score in scores]
