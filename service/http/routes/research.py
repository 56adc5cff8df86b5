"""Routes for research: the trajectories and log-likelihoods that scores are made of."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from fastapi import APIRouter, Response

from service.engine.limits import (
    check_answer,
    check_cells,
    check_sampling,
    check_scoring,
)
from service.engine.request_model import RequestModel
from service.http.call import Call, CallOf
from service.http.json_body import JsonRoute
from service.http.json_stream import NUMBER_BYTES, JsonArray, json_bytes, number_rows
from service.http.schemas.errors import ERRORS
from service.http.schemas.research import (
    LikelihoodsRequest,
    LikelihoodsResponse,
    TrajectoriesRequest,
    TrajectoriesResponse,
    TrajectoryItem,
)
from service.http.token_ids import check_token_ids
from similarity import material
from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig
from similarity.fingerprint import Fingerprint
from similarity.trajectories import encode_prefixes

# Bytes of a trajectory in an answer, about, and of each of its tokens, as an id and as text.
TRAJECTORY_BYTES = 100
TOKEN_BYTES = 14

router = APIRouter(route_class=JsonRoute, prefix="/v1", responses=ERRORS, tags=["trajsim"])


@router.post(
    "/trajectories", summary="Sample continuations of texts", response_model=TrajectoriesResponse
)
async def trajectories(body: TrajectoriesRequest, call: CallOf) -> Response:
    """Return the trajectories that a comparison of these texts would rest on."""
    config = body.config()
    check = partial(check_sampling, body.texts, config, call.settings, body.truncate)
    cost = await call.aside(check, len(body.texts))
    sampling = config.sampling
    count = len(body.texts) * sampling.n_trajectories
    size = count * (TRAJECTORY_BYTES + TOKEN_BYTES * sampling.max_tokens)
    check_answer(size, call.settings)

    def sampled(model: RequestModel) -> list[bytes]:
        texts = _cut(call, model, body.texts, config, sampling.max_tokens, body.truncate)
        return _sampled(model, texts, config)

    rows, usage = await call.run(sampled, cost)
    return call.answer(
        {"trajectories": JsonArray.of(rows)}, usage, Fingerprint(call.engine.model.info, config)
    )


@router.post(
    "/likelihoods",
    summary="Score given continuations after texts",
    response_model=LikelihoodsResponse,
)
async def likelihoods(body: LikelihoodsRequest, call: CallOf) -> Response:
    """Return the log-likelihood matrix, text × continuation."""
    config = body.config()
    given = [c if isinstance(c, str) else tuple(c) for c in body.continuations]
    cells = len(body.texts) * len(given)
    check_cells(cells, call.settings)
    check_answer(cells * NUMBER_BYTES, call.settings)
    check = partial(check_scoring, body.texts, given, call.settings, body.truncate)
    cost = await call.aside(check, cells)

    def scored(model: RequestModel) -> FloatArray:
        for i, one in enumerate(given):
            if not isinstance(one, str):
                check_token_ids(one, f"continuations[{i}]", model)
        longest = max(map(len, material.token_ids_of(model, given)))
        texts = _cut(call, model, body.texts, config, longest, body.truncate)
        return material.likelihood_matrix(model, texts, given, config)

    matrix, usage = await call.run(scored, cost)
    return call.answer(
        {"log_likelihoods": number_rows(matrix, matrix.size)},
        usage,
        Fingerprint(call.engine.model.info, config),
    )


def _cut(
    call: Call,
    model: RequestModel,
    texts: Sequence[str],
    config: ComparisonConfig,
    max_tokens: int,
    truncate: str,
) -> list[str]:
    """Return the texts, or what is left of those that leave no room for so many tokens."""
    return call.truncator(
        lambda some: encode_prefixes(model, some, config.prompt, max_tokens), truncate
    ).cut(texts)


def _sampled(model: RequestModel, texts: Sequence[str], config: ComparisonConfig) -> list[bytes]:
    """Return the trajectories of each text as JSON."""
    rows = []
    for row in material.sample(model, texts, config):
        model.check_cancelled()
        items = [TrajectoryItem(**{**asdict(t), "token_ids": list(t.token_ids)}) for t in row]
        rows.append(json_bytes([item.model_dump() for item in items]))
    return rows
