"""The routes /v1/cluster and /v1/dedupe."""

from itertools import product
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Response

from service.engine.limits import check_cells
from service.http.call import Call, CallOf
from service.http.json_body import JsonRoute
from service.http.json_stream import json_answer
from service.http.schemas.errors import ERRORS
from service.http.schemas.groups import (
    ClusterFields,
    ClusterRequest,
    ClusterResponse,
    DedupeRequest,
    DedupeResponse,
    DuplicateFields,
    GroupingRequest,
    GroupingResponse,
    KeptFields,
)
from service.http.schemas.similarity import warnings_of
from service.http.schemas.usage import TokenUsage
from similarity.arrays import FloatArray
from similarity.groups.clustering import Clustering, cluster, deduplicate

router = APIRouter(route_class=JsonRoute, prefix="/v1", responses=ERRORS, tags=["trajsim"])


@router.post("/cluster", summary="Group texts by meaning", response_model=ClusterResponse)
async def cluster_texts(body: ClusterRequest, call: CallOf) -> Response:
    """Return groups of like texts, each with the text that is its middle."""
    similarities, common = await _compared(body, call)

    def grouped() -> Clustering:
        return cluster(similarities, threshold=body.least(), k=body.k, linkage_by=body.linkage)

    found = await run_sync(grouped)
    groups = [
        ClusterFields(members=list(members), representative=middle)
        for members, middle in zip(found.groups, found.representatives, strict=True)
    ]
    each = None if found.silhouettes is None else found.silhouettes.tolist()
    return _answer(
        ClusterResponse(groups=groups, silhouette=found.silhouette, silhouettes=each, **common)
    )


@router.post(
    "/dedupe", summary="Keep one of the texts that say the same", response_model=DedupeResponse
)
async def dedupe_texts(body: DedupeRequest, call: CallOf) -> Response:
    """Return the texts to keep, each with those that it stands for."""
    similarities, common = await _compared(body, call)
    found = await run_sync(deduplicate, similarities, body.threshold)
    groups = [
        KeptFields(
            kept=group.kept,
            duplicates=[
                DuplicateFields(number=i, similarity=float(similarities[group.kept, i]))
                for i in group.others
            ],
        )
        for group in found
    ]
    return _answer(DedupeResponse(groups=groups, **common))


async def _compared(body: GroupingRequest, call: Call) -> tuple[FloatArray, dict[str, Any]]:
    """Return the similarities of the texts, "text text", and the fields of every answer."""
    check_cells(len(body.texts) ** 2, call.settings)
    texts = list(dict.fromkeys(body.texts))
    plan = await call.plan(list(product(texts, texts)), body.scoring())
    result, usage = await call.run(
        lambda model: call.scorer(plan, model).matrix(texts, None, model.progress)
    )
    place = {text: i for i, text in enumerate(texts)}
    chosen = [place[text] for text in body.texts]
    fingerprint = result.fingerprint
    return result.similarities[chosen][:, chosen], {
        "model": call.model,
        "preset": plan.preset,
        "warnings": warnings_of(plan, result.warnings),
        "calibrated": fingerprint.calibrated,
        "scale": fingerprint.scale,
        "repeatable": fingerprint.repeatable,
        "usage": TokenUsage.of(usage),
        "fingerprint": fingerprint.to_dict(),
    }


def _answer(found: GroupingResponse) -> Response:
    content = found.model_dump(mode="json")
    if found.warnings is None:
        del content["warnings"]
    return json_answer(content)
