"""The routes /v1/cluster and /v1/dedupe."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

from fastapi import APIRouter, Response

from service.engine.limits import check_cells
from service.engine.request_model import RequestModel
from service.http.call import Call, CallOf
from service.http.json_body import JsonRoute
from service.http.schemas.errors import ERRORS
from service.http.schemas.groups import (
    ClusterRequest,
    ClusterResponse,
    DedupeRequest,
    DedupeResponse,
    GroupingRequest,
)
from similarity.arrays import FloatArray
from similarity.groups.clustering import cluster, deduplicate
from similarity.results import SimilarityMatrix
from similarity.scorer import Progress

router = APIRouter(route_class=JsonRoute, prefix="/v1", responses=ERRORS, tags=["trajsim"])


@router.post("/cluster", summary="Group texts by meaning", response_model=ClusterResponse)
async def cluster_texts(body: ClusterRequest, call: CallOf) -> Response:
    """Return groups of like texts, each with the text that is its middle."""
    return await _grouped(body, call, partial(_clusters, body=body))


@router.post(
    "/dedupe", summary="Keep one of the texts that say the same", response_model=DedupeResponse
)
async def dedupe_texts(body: DedupeRequest, call: CallOf) -> Response:
    """Return the texts to keep, each with those that it stands for.

    Texts that differ in case, white space or the form of characters alone are the same. Texts
    with other numbers are not. For all others the similarity decides.
    """
    return await _grouped(body, call, partial(_kept, threshold=body.threshold, texts=body.texts))


async def _grouped(
    body: GroupingRequest, call: Call, group: Callable[[FloatArray, Progress], dict[str, Any]]
) -> Response:
    """Answer what is made of the similarities of the texts, "text text"."""
    check_cells(len(body.texts) ** 2, call.settings)
    texts = list(dict.fromkeys(body.texts))
    pairs = await call.aside(lambda: list(product(texts, texts)), len(texts) ** 2)
    plan, cost = await call.plan(pairs, body.scoring())
    place = {text: i for i, text in enumerate(texts)}
    chosen = [place[text] for text in body.texts]

    def grouped(model: RequestModel) -> tuple[dict[str, Any], SimilarityMatrix]:
        result = call.scorer(plan, model).matrix(texts, None, model.progress)
        return group(result.similarities[chosen][:, chosen], model.progress), result

    (content, result), usage = await call.run(grouped, cost)
    return call.compared(content, plan, result.warnings, usage, result.fingerprint)


def _clusters(
    similarities: FloatArray, _progress: Progress, body: ClusterRequest
) -> dict[str, Any]:
    found = cluster(similarities, threshold=body.least(), k=body.k, linkage_by=body.linkage)
    return {
        "groups": [
            {"members": list(members), "representative": middle}
            for members, middle in zip(found.groups, found.representatives, strict=True)
        ],
        "silhouette": found.silhouette,
        "silhouettes": None if found.silhouettes is None else found.silhouettes.tolist(),
    }


def _kept(
    similarities: FloatArray, progress: Progress, threshold: float, texts: Sequence[str]
) -> dict[str, Any]:
    return {
        "groups": [
            {
                "kept": group.kept,
                "duplicates": [
                    {
                        "number": i,
                        "similarity": float(similarities[group.kept, i]),
                        "reason": reason,
                    }
                    for i, reason in zip(group.others, group.reasons, strict=True)
                ],
            }
            for group in deduplicate(similarities, threshold, texts, progress)
        ]
    }
