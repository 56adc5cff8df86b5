"""The service's own routes."""

from typing import Any

import numpy as np
from fastapi import APIRouter

from service.calls import CallOf
from service.limits import check_pairs, check_sampling, check_scoring, check_settings
from service.schemas import (
    ErrorResponse,
    Explanation,
    LikelihoodsRequest,
    LikelihoodsResponse,
    MatrixRequest,
    MatrixResponse,
    ModelCard,
    ModelList,
    PairResult,
    SimilarityRequest,
    SimilarityResponse,
    TokenUsage,
    TrajectoriesRequest,
    TrajectoriesResponse,
    TrajectoryItem,
)
from similarity import material
from similarity.config import ComparisonConfig
from similarity.fingerprint import Fingerprint
from similarity.models.base import LanguageModel
from similarity.pipeline import compare_matrix
from similarity.results import Comparison

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
    config = body.config()
    if isinstance(body, MatrixRequest):
        return await _matrix(body, call)
    comparisons, usage = await call.compare(body.text_pairs(), config)
    return SimilarityResponse(
        model=call.model,
        calibrated=comparisons[0].fingerprint.calibrated,
        results=[_pair(c, body.top if body.explain else 0) for c in comparisons],
        usage=TokenUsage.of(usage),
        fingerprint=comparisons[0].fingerprint.to_dict(),
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
    card = ModelCard(
        id=info.name,
        created=call.engine.loaded_at,
        revision=info.revision,
        dtype=info.dtype,
        context_length=info.context_length,
        limits={name: getattr(settings, f"max_{name}") for name in limits},
    )
    return ModelList(data=[card])


async def _matrix(body: MatrixRequest, call: CallOf) -> MatrixResponse:
    config = body.config()
    if not body.explain:
        check_pairs(body.text_pairs(), config, call.settings)
        result, usage = await call.run(
            lambda job: compare_matrix(job, body.rows, body.columns, config)
        )
        return MatrixResponse(
            model=call.model,
            calibrated=result.fingerprint.calibrated,
            similarities=result.similarities.tolist(),
            distances=result.distances.tolist(),
            usage=TokenUsage.of(usage),
            fingerprint=result.fingerprint.to_dict(),
        )
    cells, usage = await call.compare(body.text_pairs(), config)
    shape = (len(body.rows), -1)
    explanations = [Explanation.of(cell, body.top) for cell in cells]
    width = len(cells) // len(body.rows)
    return MatrixResponse(
        model=call.model,
        calibrated=cells[0].fingerprint.calibrated,
        similarities=np.array([cell.similarity for cell in cells]).reshape(shape).tolist(),
        distances=np.array([cell.distance for cell in cells]).reshape(shape).tolist(),
        explanations=[explanations[i : i + width] for i in range(0, len(cells), width)],
        usage=TokenUsage.of(usage),
        fingerprint=cells[0].fingerprint.to_dict(),
    )


def _pair(comparison: Comparison, top: int) -> PairResult:
    return PairResult(
        similarity=comparison.similarity,
        distance=comparison.distance,
        explanation=Explanation.of(comparison, top) if top else None,
    )


def _fingerprint(model: LanguageModel, config: ComparisonConfig) -> dict[str, Any]:
    return Fingerprint(model.info, config).to_dict()
