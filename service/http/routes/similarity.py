"""The route /v1/similarity."""

from fastapi import APIRouter

from service.engine.request_model import RequestModel, Usage
from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.schemas.errors import ERRORS
from service.http.schemas.similarity import (
    MatrixRequest,
    MatrixResponse,
    PairResult,
    SimilarityRequest,
    SimilarityResponse,
    warnings_of,
)
from service.http.schemas.usage import TokenUsage
from similarity.config import Settings
from similarity.fingerprint import Fingerprint
from similarity.scorers import ScoringPlan

router = APIRouter(route_class=JsonRoute, prefix="/v1", responses=ERRORS, tags=["trajsim"])


@router.post(
    "/similarity",
    summary="Compare texts",
    response_model=SimilarityResponse | MatrixResponse,
    response_model_exclude_none=True,
)
async def similarity(body: SimilarityRequest, call: CallOf) -> SimilarityResponse | MatrixResponse:
    """Return similarity and distance of pairs, of one text with many, or of rows with columns."""
    if isinstance(body, MatrixRequest) and not (body.explain or body.interval):
        return await _matrix(body, call)
    plan, cells, fingerprint, usage = await _cells(body, call)
    if isinstance(body, MatrixRequest):
        return _matrix_of_cells(body, call, plan, cells, fingerprint, usage)
    return SimilarityResponse(
        model=call.model,
        preset=plan.preset,
        warnings=warnings_of(plan),
        calibrated=fingerprint.calibrated,
        results=cells,
        usage=TokenUsage.of(usage),
        fingerprint=fingerprint.to_dict(),
    )


Fingerprinted = Fingerprint[Settings]


async def _cells(
    body: SimilarityRequest, call: CallOf
) -> tuple[ScoringPlan, list[PairResult], Fingerprinted, Usage]:
    """Return the result of each pair, whole."""
    pairs = body.text_pairs()
    plan = call.plan(pairs, body.scoring())

    def work(model: RequestModel) -> tuple[list[PairResult], Fingerprinted]:
        scorer = call.scorer(plan, model)
        if body.explain:
            explanations = scorer.explain(pairs, body.top)
            cells = [PairResult.of(e.score, e, body.interval) for e in explanations]
        else:
            scores = scorer.score(pairs)
            cells = [PairResult.of(score, None, body.interval) for score in scores]
        return cells, scorer.fingerprint

    (cells, fingerprint), usage = await call.run(work)
    return plan, cells, fingerprint, usage


async def _matrix(body: MatrixRequest, call: CallOf) -> MatrixResponse:
    plan = call.plan(body.text_pairs(), body.scoring())
    result, usage = await call.run(
        lambda model: call.scorer(plan, model).matrix(body.rows, body.columns)
    )
    return MatrixResponse(
        model=call.model,
        preset=plan.preset,
        warnings=warnings_of(plan),
        calibrated=result.fingerprint.calibrated,
        similarities=result.similarities.tolist(),
        distances=result.distances.tolist(),
        usage=TokenUsage.of(usage),
        fingerprint=result.fingerprint.to_dict(),
    )


def _matrix_of_cells(
    body: MatrixRequest,
    call: CallOf,
    plan: ScoringPlan,
    cells: list[PairResult],
    fingerprint: Fingerprinted,
    usage: Usage,
) -> MatrixResponse:
    """Return a matrix with the explanation and interval of each cell."""
    width = len(cells) // len(body.rows)
    rows = [cells[i : i + width] for i in range(0, len(cells), width)]
    return MatrixResponse(
        model=call.model,
        preset=plan.preset,
        warnings=warnings_of(plan),
        calibrated=fingerprint.calibrated,
        similarities=[[cell.similarity for cell in row] for row in rows],
        distances=[[cell.distance for cell in row] for row in rows],
        explanations=[[c.explanation for c in row if c.explanation] for row in rows]
        if body.explain
        else None,
        intervals=[[c.interval for c in row if c.interval] for row in rows]
        if body.interval
        else None,
        usage=TokenUsage.of(usage),
        fingerprint=fingerprint.to_dict(),
    )
