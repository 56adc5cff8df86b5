"""The route /v1/similarity."""

from fastapi import APIRouter

from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.schemas.errors import ERRORS
from service.http.schemas.similarity import (
    MatrixRequest,
    MatrixResponse,
    PairResult,
    SimilarityRequest,
    SimilarityResponse,
)
from service.http.schemas.usage import TokenUsage

router = APIRouter(route_class=JsonRoute, prefix="/v1", responses=ERRORS, tags=["trajsim"])


@router.post(
    "/similarity",
    summary="Compare texts",
    response_model=SimilarityResponse | MatrixResponse,
    response_model_exclude_none=True,
)
async def similarity(body: SimilarityRequest, call: CallOf) -> SimilarityResponse | MatrixResponse:
    """Return similarity and distance of pairs, of one text with many, or of rows with columns."""
    if isinstance(body, MatrixRequest):
        return await _matrix(body, call)
    scores, usage = await call.score(body.text_pairs(), body.scoring())
    return SimilarityResponse(
        model=call.model,
        calibrated=scores[0].fingerprint.calibrated,
        results=[PairResult.of(score, body) for score in scores],
        usage=TokenUsage.of(usage),
        fingerprint=scores[0].fingerprint.to_dict(),
    )


async def _matrix(body: MatrixRequest, call: CallOf) -> MatrixResponse:
    if body.explain or body.interval:
        return await _matrix_of_pairs(body, call)
    plan = call.plan(body.text_pairs(), body.scoring())
    result, usage = await call.run(lambda model: plan.scorer(model).matrix(body.rows, body.columns))
    return MatrixResponse(
        model=call.model,
        calibrated=result.fingerprint.calibrated,
        similarities=result.similarities.tolist(),
        distances=result.distances.tolist(),
        usage=TokenUsage.of(usage),
        fingerprint=result.fingerprint.to_dict(),
    )


async def _matrix_of_pairs(body: MatrixRequest, call: CallOf) -> MatrixResponse:
    """Return a matrix with the explanation and interval of each cell, which need whole pairs."""
    scores, usage = await call.score(body.text_pairs(), body.scoring())
    cells = [PairResult.of(score, body) for score in scores]
    width = len(cells) // len(body.rows)
    rows = [cells[i : i + width] for i in range(0, len(cells), width)]
    return MatrixResponse(
        model=call.model,
        calibrated=scores[0].fingerprint.calibrated,
        similarities=[[cell.similarity for cell in row] for row in rows],
        distances=[[cell.distance for cell in row] for row in rows],
        explanations=[[c.explanation for c in row if c.explanation] for row in rows]
        if body.explain
        else None,
        intervals=[[c.interval for c in row if c.interval] for row in rows]
        if body.interval
        else None,
        usage=TokenUsage.of(usage),
        fingerprint=scores[0].fingerprint.to_dict(),
    )
