"""The route /v1/similarity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from fastapi import APIRouter, Response

from service.engine.costs import explaining_cost
from service.engine.limits import check_answer, check_cells
from service.engine.request_model import RequestModel
from service.engine.usage import Usage
from service.http.call import Call, CallOf
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
from similarity.given import Pair
from similarity.images.image import Content
from similarity.scorers import ScoringPlan

# Bytes of a score in an answer, about, without and with what may be requested beside it.
SCORE_BYTES = 70
INTERVAL_BYTES = 150
EXPLANATION_BYTES = 200
PART_BYTES = 160
TOKEN_BYTES = 8

# The fields of a pair's result, each as JSON.
Cell = dict[str, bytes]

router = APIRouter(
    route_class=JsonRoute, prefix="/v1", responses=ERRORS_OF_IMAGES, tags=["trajsim"]
)


@router.post(
    "/similarity", summary="Compare texts", response_model=SimilarityResponse | MatrixResponse
)
async def similarity(body: SimilarityRequest, call: CallOf) -> Response:
    """Return similarity and distance of pairs, of one text with many, or of rows with columns."""
    if isinstance(body, MatrixRequest):
        return await _matrix(body, call)
    given = body.given_pairs()
    check_answer(len(given) * _result_bytes(body), call.settings)
    plan, cost = await call.plan(list(dict.fromkeys(given)), body.scoring())
    pairs = await read_pairs(given, call)
    of_pair, found, usage = await _compared(pairs, plan, cost, body, call)
    results = await call.aside(partial(_results_of, of_pair, pairs), len(pairs))
    return call.compared({"results": results}, plan, found.warnings, usage, found.fingerprint)


async def _matrix(body: MatrixRequest, call: Call) -> Response:
    """Return all rows against all columns; those that repeat are compared once."""
    across = body.columns or body.rows
    count = len(body.rows) * len(across)
    check_cells(count, call.settings)
    check_answer(count * _result_bytes(body), call.settings)
    once = dict.fromkeys(body.rows), dict.fromkeys(across)
    distinct = await call.aside(lambda: list(product(*once)), count)
    plan, cost = await call.plan(distinct, body.scoring())
    contents = await read_contents([*body.rows, *(body.columns or ())], call)
    rows, columns = contents[: len(body.rows)], contents[-len(across) :]
    if not (body.explain or body.interval):
        return await _numbers(rows, columns, plan, cost, call)
    pairs = await call.aside(lambda: list(product(rows, columns)), count)
    of_pair, found, usage = await _compared(pairs, plan, cost, body, call)
    arrays = await call.aside(partial(_matrices_of, of_pair, rows, columns), count)
    return call.compared(arrays, plan, found.warnings, usage, found.fingerprint)


_MATRIX_FIELDS = {
    "similarity": "similarities",
    "distance": "distances",
    "explanation": "explanations",
    "interval": "intervals",
}


async def _numbers(
    given: Sequence[Content],
    columns: Sequence[Content],
    plan: ScoringPlan,
    cost: int,
    call: Call,
) -> Response:
    """Return a matrix of numbers alone."""
    rows, others = list(dict.fromkeys(given)), list(dict.fromkeys(columns))
    result, usage = await call.run(
        lambda model: call.scorer(plan, model).matrix(rows, others, model.progress), cost
    )
    places = {text: i for i, text in enumerate(rows)}
    across = {text: i for i, text in enumerate(others)}
    chosen = np.array([across[text] for text in columns])
    cells = len(given) * len(columns)
    arrays = {
        "similarities": number_rows((result.similarities[places[t], chosen] for t in given), cells),
        "distances": number_rows((result.distances[places[t], chosen] for t in given), cells),
    }
    return call.compared(arrays, plan, result.warnings, usage, result.fingerprint)


@dataclass(frozen=True)
class _Found:
    """What holds for all results of a request: warnings of the texts, the scorer's fingerprint."""

    warnings: list[str]
    fingerprint: Fingerprint[Settings]


async def _compared(
    pairs: Sequence[Pair], plan: ScoringPlan, cost: int, body: ComparisonSettings, call: Call
) -> tuple[dict[Pair, Cell], _Found, Usage]:
    """Return the result of each pair; one that repeats is compared once."""
    distinct = list(dict.fromkeys(pairs))
    # The words of trajectories are found with their scores.
    own = explaining_cost(distinct) if body.explain and plan.by_vectors else 0

    def work(model: RequestModel) -> tuple[list[Cell], _Found]:
        model.usage.note_own(own)
        return _cells(call, plan, model, distinct, body)

    (cells, found), usage = await call.run(work, cost + own)
    return dict(zip(distinct, cells, strict=True)), found, usage


def _cells(
    call: Call,
    plan: ScoringPlan,
    model: RequestModel,
    pairs: Sequence[Pair],
    body: ComparisonSettings,
) -> tuple[list[Cell], _Found]:
    """Return the result of each pair, and what holds for all."""
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
    warnings = [text for score in scores for text in score.warnings]
    return cells, _Found(warnings, scorer.fingerprint)


def _cell(result: PairResult) -> Cell:
    whole = result.model_dump(mode="json", exclude_none=True)
    return {name: json_bytes(value) for name, value in whole.items()}


def _object(cell: Cell) -> bytes:
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), cell[name]) for name in cell) + b"}"


def _object_bytes(cell: Cell) -> int:
    return 1 + sum(len(name) + len(value) + 4 for name, value in cell.items())


def _results_of(of_pair: Mapping[Pair, Cell], pairs: Sequence[Pair]) -> JsonArray:
    size = sum(_object_bytes(of_pair[pair]) + 1 for pair in pairs) + 1
    return JsonArray((_object(of_pair[pair]) for pair in pairs), size)


def _matrices_of(
    of_pair: Mapping[Pair, Cell], rows: Sequence[Content], columns: Sequence[Content]
) -> dict[str, JsonArray]:
    """Return each field of all cells, "row column"; to add up their bytes takes a while."""

    def matrix(field: str) -> JsonArray:
        items = (
            b"[" + b",".join(of_pair[row, column][field] for column in columns) + b"]"
            for row in rows
        )
        cells = sum(len(of_pair[row, column][field]) + 1 for row in rows for column in columns)
        return JsonArray(items, cells + 2 * len(rows) + 1)

    found = of_pair[rows[0], columns[0]]
    return {name: matrix(field) for field, name in _MATRIX_FIELDS.items() if field in found}


def _result_bytes(body: ComparisonSettings) -> int:
    """Return about how many bytes of JSON a pair's result has, at most."""
    parts = min(body.top, 2 * body.n_trajectories) * (PART_BYTES + TOKEN_BYTES * body.max_tokens)
    explanation = EXPLANATION_BYTES + parts if body.explain else 0
    return SCORE_BYTES + explanation + (INTERVAL_BYTES if body.interval else 0)
