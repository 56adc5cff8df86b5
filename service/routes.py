"""The routes of the HTTP API."""

from typing import Any

from fastapi import APIRouter, Request

from service.engine import Engine
from service.errors import RequestTooLargeError
from service.schemas import (
    ErrorResponse,
    Health,
    PairResult,
    SimilarityRequest,
    SimilarityResponse,
)
from service.settings import Settings
from similarity.version import __version__

router = APIRouter()

ERRORS: dict[int | str, dict[str, Any]] = {
    413: {"model": ErrorResponse, "description": "The request costs more than is allowed."},
    422: {"model": ErrorResponse, "description": "The request is not valid."},
    503: {"model": ErrorResponse, "description": "The model does not answer."},
}


@router.post("/v1/similarity", responses=ERRORS, summary="Compare pairs of texts")
async def similarity(body: SimilarityRequest, request: Request) -> SimilarityResponse:
    """Return similarity and distance of each pair, in order."""
    settings: Settings = request.app.state.settings
    engine: Engine = request.app.state.engine
    check_cost(body, settings)
    results = await engine.compare(body.pairs, body.config())
    return SimilarityResponse(
        model=engine.model.info.name,
        results=[PairResult(similarity=r.similarity, distance=r.distance) for r in results],
        fingerprint=results[0].fingerprint.to_dict(),
    )


@router.get("/health", summary="Is the service up?")
async def health(request: Request) -> Health:
    """Return the model that is loaded."""
    engine: Engine = request.app.state.engine
    return Health(model=engine.model.info.name, version=__version__)


def check_cost(body: SimilarityRequest, settings: Settings) -> None:
    """Refuse, before anything is sampled, a request that costs more than is allowed.

    Raises
    ------
    RequestTooLargeError
        Saying what is too much, and how much is allowed.
    """
    longest = max(len(text) for pair in body.pairs for text in pair)
    limits = (
        ("pairs", len(body.pairs), settings.max_pairs),
        ("characters in one text", longest, settings.max_characters),
        ("tokens to sample", body.cost(), settings.max_tokens_per_request),
    )
    for what, got, allowed in limits:
        if got > allowed:
            raise RequestTooLargeError(
                f"the request has {got} {what}; at most {allowed} are allowed here"
            )
