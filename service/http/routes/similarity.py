"""The route /v1/similarity."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from fastapi import APIRouter, Response

from service.engine.limits import check_answer, check_cells
from service.engine.request_model import RequestModel
from service.http.call import CallOf
from service.http.images import read_contents, read_pairs
from service.http.json_body import JsonRoute
from service.http.json_stream import JsonArray, json_bytes, number_rows
from service.http.schemas.errors import ERRORS_OF_IMAGES
from service.http.schemas.similarity import (
    ComparisonSettings,
    MatrixRequest,
    MatrixResponse,
    PairResult,
    SimilarityRequest,
    SimilarityResponse,
)
from similarity.config import Settings
from similarity.fingerprint import Fingerprint
from similarity.images.image import Content
from similarity.scorer import Pair
from similarity.scorers import ScoringPlan

# Bytes of a score in an answer, about, without and with what may be requested beside it.
SCORE_BYTES = 70
INTERVAL_BYTES = 150
EXPLANATION_BYTES = 200
PART_BYTES = 160
TOKEN_BYTES = 8

# The fields of a pair's result, each as JSON.
Cell = dict[str, bytes]
Fingerprinted = Fingerprint[Settings]

router = APIRouter(
    route_class=JsonRoute, prefix="/v1", responses=ERRORS_OF_IMAGES, tags=["trajsim"]
)


@router.post(
    "/similarity", summary="Compare texts", response_model=SimilarityResponse | MatrixResponse
)
async def similarity(body: SimilarityRequest, call: CallOf) -> Response:
    """Return similarity and distance of pairs, of one text with many, or of rows with columns."""
    rows, columns = [], list[Content]()
    if isinstance(body, MatrixRequest):
        count = len(body.rows) * len(body.columns or body.rows)
        check_cells(count, call.settings)
        check_answer(count * _result_bytes(body), call.settings)
        rows = await read_contents(body.rows, call)
        columns = await read_contents(body.columns, call) if body.columns else rows
        if not (body.explain or body.interval):
            return await _matrix(body, rows, columns, call)
        pairs = list(product(rows, columns))
    else:
        pairs = await read_pairs(body.given_pairs(), call)
    check_answer(len(pairs) * _result_bytes(body), call.settings)
    distinct = list(dict.fromkeys(pairs))
    plan = await call.plan(distinct, body.scoring())
    (cells, fingerprint, found), usage = await call.run(
        lambda model: _cells(call, plan, model, distinct, body)
    )
    of_pair = dict(zip(distinct, cells, strict=True))
    if isinstance(body, MatrixRequest):
        arrays = {
            name: _matrix_of(of_pair, field, rows, columns)
            for field, name in _MATRIX_FIELDS.items()
            if field in cells[0]
        }
    else:
        arrays = {"results": JsonArray(_object(of_pair[pair]) for pair in pairs)}
    return call.compared(arrays, plan, found, usage, fingerprint)


_MATRIX_FIELDS = {
    "similarity": "similarities",
    "distance": "distances",
    "explanation": "explanations",
    "interval": "intervals",
}


async def _matrix(
    body: MatrixRequest, given: Sequence[Content], columns: Sequence[Content], call: CallOf
) -> Response:
    """Return a matrix of numbers alone; rows and columns that repeat are compared once."""
    rows, others = list(dict.fromkeys(given)), list(dict.fromkeys(columns))
    plan = await call.plan(list(product(rows, others)), body.scoring())
    result, usage = await call.run(
        lambda model: call.scorer(plan, model).matrix(rows, others, model.progress)
    )
    places = {text: i for i, text in enumerate(rows)}
    across = {text: i for i, text in enumerate(others)}
    chosen = np.array([across[text] for text in columns])
    arrays = {
        "similarities": number_rows(result.similarities[places[t], chosen] for t in given),
        "distances": number_rows(result.distances[places[t], chosen] for t in given),
    }
    return call.compared(arrays, plan, result.warnings, usage, result.fingerprint)


def _cells(
    call: CallOf,
    plan: ScoringPlan,
    model: RequestModel,
    pairs: Sequence[Pair],
    body: ComparisonSettings,
) -> tuple[list[Cell], Fingerprinted, list[str]]:
    """Return the result of each pair, the scorer's fingerprint, and warnings of the texts."""
    scorer = call.scorer(plan, model)
    if body.explain:
        explained = scorer.explain(pairs, body.top, model.progress)
        scores = [e.score for e in explained]
        results = (PairResult.of(e.score, e, body.interval) for e in explained)
    else:
        scores = list(scorer.score(pairs, model.progress))
        results = (PairResult.of(score, None, body.interval) for score in scores)
    cells = []
    for result in results:
        model.check_cancelled()
        cells.append(_cell(result))
    return cells, scorer.fingerprint, [text for score in scores for text in score.warnings]


def _cell(result: PairResult) -> Cell:
    whole = result.model_dump(mode="json", exclude_none=True)
    return {name: json_bytes(value) for name, value in whole.items()}


def _object(cell: Cell) -> bytes:
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), cell[name]) for name in cell) + b"}"


def _matrix_of(
    of_pair: Mapping[Pair, Cell], field: str, rows: Sequence[Content], columns: Sequence[Content]
) -> JsonArray:
    """Return one field of all cells, "row column"."""
    return JsonArray(
        b"[" + b",".join(of_pair[row, column][field] for column in columns) + b"]" for row in rows
    )


def _result_bytes(body: ComparisonSettings) -> int:
    """Return about how many bytes of JSON a pair's result has, at most."""
    parts = min(body.top, 2 * body.n_trajectories) * (PART_BYTES + TOKEN_BYTES * body.max_tokens)
    explanation = EXPLANATION_BYTES + parts if body.explain else 0
    return SCORE_BYTES + explanation + (INTERVAL_BYTES if body.interval else 0)
