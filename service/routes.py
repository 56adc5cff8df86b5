"""The service's own routes."""

from typing import Any

from fastapi import APIRouter

from service.calls import CallOf
from service.comparison_schemas import (
    MatrixRequest,
    MatrixResponse,
    PairResult,
    SimilarityRequest,
    SimilarityResponse,
)
from service.limits import check_sampling, check_scoring, check_settings
from service.schemas import (
    ErrorResponse,
    LikelihoodsRequest,
    LikelihoodsResponse,
    ModelCard,
    ModelList,
    TokenUsage,
    TrajectoriesRequest,
    TrajectoriesResponse,
    TrajectoryItem,
)
from service.ways import default_preset, serves
from similarity import material
from similarity.config import ComparisonConfig
from similarity.fingerprint import Fingerprint
from similarity.models.base import LanguageModel
from similarity.presets import PRESETS

RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which it is worth trying again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}


def error_answer(description: str, **more: Any) -> dict[str, Any]:
    """Return how OpenAPI describes an answer that is not a success."""
    return {"model": ErrorResponse, "description": description, **more}


ERRORS: dict[int | str, dict[str, Any]] = {
    400: error_answer("The body is not JSON."),
    401: error_answer("No valid API key, where the service has keys."),
    408: error_answer("The body arrived too slowly."),
    413: error_answer("The request is larger, or costs more, than is ever allowed."),
    422: error_answer("The request is not valid."),
    429: error_answer("Too many requests wait already.", headers=RETRY_AFTER),
    500: error_answer("The service failed."),
    502: error_answer(
        "The model gave numbers that cannot be right, or would not do what was asked."
    ),
    503: error_answer(
        "The model does not answer, or the service is going down.", headers=RETRY_AFTER
    ),
    504: error_answer("No answer within the deadline."),
}

router = APIRouter(prefix="/v1", responses=ERRORS, tags=["trajsim"])


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
    scores, usage = await call.score(body.text_pairs(), body.asked())
    return SimilarityResponse(
        model=call.model,
        calibrated=scores[0].fingerprint.calibrated,
        results=[PairResult.of(score, body) for score in scores],
        usage=TokenUsage.of(usage),
        fingerprint=scores[0].fingerprint.to_dict(),
    )


@router.post("/trajectories", summary="Sample continuations of texts")
async def trajectories(body: TrajectoriesRequest, call: CallOf) -> TrajectoriesResponse:
    """Return the trajectories that a comparison of these texts would rest on."""
    config = body.config()
    check_sampling(body.texts, config, call.settings)
    sampled, usage = await call.run(lambda job: material.sample(job, body.texts, config))
    return TrajectoriesResponse(
        model=call.model,
        trajectories=[
            [
                TrajectoryItem(
                    text=t.text,
                    token_ids=list(t.token_ids),
                    log_likelihood=t.log_likelihood,
                    ended=t.ended,
                )
                for t in row
            ]
            for row in sampled
        ],
        usage=TokenUsage.of(usage),
        fingerprint=_fingerprint(call.engine.model, config),
    )


@router.post("/likelihoods", summary="Score given continuations after texts")
async def likelihoods(body: LikelihoodsRequest, call: CallOf) -> LikelihoodsResponse:
    """Return the log-likelihood matrix, text × continuation."""
    config = body.config()
    given = [c if isinstance(c, str) else tuple(c) for c in body.continuations]
    check_settings(config, call.settings)
    check_scoring(body.texts, given, call.settings)
    matrix, usage = await call.run(
        lambda job: material.likelihood_matrix(job, body.texts, given, config)
    )
    return LikelihoodsResponse(
        model=call.model,
        log_likelihoods=matrix.tolist(),
        usage=TokenUsage.of(usage),
        fingerprint=_fingerprint(call.engine.model, config),
    )


@router.get("/models", summary="The model that is served")
async def models(call: CallOf) -> ModelList:
    """Return the model's name, revision and context, and what a request may ask for."""
    info, settings = call.engine.model.info, call.settings
    limits = ("texts", "characters", "trajectories", "continuation_tokens", "request_tokens")
    vectors = call.engine.vectors
    card = ModelCard(
        id=info.name,
        created=call.engine.loaded_at,
        revision=info.revision,
        dtype=info.dtype,
        context_length=info.context_length,
        preset=default_preset(settings, vectors),
        presets=[preset for preset in PRESETS if serves(preset, vectors)],
        limits={name: getattr(settings, f"max_{name}") for name in limits},
    )
    return ModelList(data=[card])


async def _matrix(body: MatrixRequest, call: CallOf) -> MatrixResponse:
    if body.explain or body.interval:
        return await _told_matrix(body, call)
    way = call.way(body.text_pairs(), body.asked())
    result, usage = await call.run(lambda job: way.scorer(job).matrix(body.rows, body.columns))
    return MatrixResponse(
        model=call.model,
        calibrated=result.fingerprint.calibrated,
        similarities=result.similarities.tolist(),
        distances=result.distances.tolist(),
        usage=TokenUsage.of(usage),
        fingerprint=result.fingerprint.to_dict(),
    )


async def _told_matrix(body: MatrixRequest, call: CallOf) -> MatrixResponse:
    """Return a matrix with what is told of each cell, for which every pair is kept whole."""
    scores, usage = await call.score(body.text_pairs(), body.asked())
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


def _fingerprint(model: LanguageModel, config: ComparisonConfig) -> dict[str, Any]:
    return Fingerprint(model.info, config).to_dict()
