"""Routes for research: the trajectories and log-likelihoods that scores are made of."""

from typing import Any

from fastapi import APIRouter

from service.engine.limits import check_sampling, check_scoring, check_settings
from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.schemas.errors import ERRORS
from service.http.schemas.research import (
    LikelihoodsRequest,
    LikelihoodsResponse,
    TrajectoriesRequest,
    TrajectoriesResponse,
    TrajectoryItem,
)
from service.http.schemas.usage import TokenUsage
from similarity import material
from similarity.config import ComparisonConfig
from similarity.fingerprint import Fingerprint
from similarity.models.base import LanguageModel

router = APIRouter(route_class=JsonRoute, prefix="/v1", responses=ERRORS, tags=["trajsim"])


@router.post("/trajectories", summary="Sample continuations of texts")
async def trajectories(body: TrajectoriesRequest, call: CallOf) -> TrajectoriesResponse:
    """Return the trajectories that a comparison of these texts would rest on."""
    config = body.config()
    check_sampling(body.texts, config, call.settings)
    sampled, usage = await call.run(lambda model: material.sample(model, body.texts, config))
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
        lambda model: material.likelihood_matrix(model, body.texts, given, config)
    )
    return LikelihoodsResponse(
        model=call.model,
        log_likelihoods=matrix.tolist(),
        usage=TokenUsage.of(usage),
        fingerprint=_fingerprint(call.engine.model, config),
    )


def _fingerprint(model: LanguageModel, config: ComparisonConfig) -> dict[str, Any]:
    return Fingerprint(model.info, config).to_dict()
