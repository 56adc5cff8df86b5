"""Routes for those who run the service: probes and metrics."""

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.engine.engine import Engine
from service.engine.health import Status
from service.http.schemas.errors import ERRORS
from service.http.schemas.operation import HealthStatus
from similarity.version import __version__

router = APIRouter(tags=["operation"])

NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": HealthStatus, "description": "The model does not answer."}
}


@router.get("/health/live", summary="Does the process run?")
async def live(request: Request) -> HealthStatus:
    """Return ok as long as the event loop turns, whatever the model does."""
    return _health(request, Status(True, "the process runs"))


@router.get("/health", summary="Can it answer?", responses=NOT_READY)
@router.get("/health/ready", summary="Can it answer?", responses=NOT_READY)
async def ready(request: Request, response: Response) -> HealthStatus:
    """Return ok if the model has answered a probe lately, and 503 if not or when going down."""
    engine: Engine = request.app.state.engine
    status = engine.health.status()
    if not status.ready:
        response.status_code = 503
        response.headers["Retry-After"] = "1"
    return _health(request, status)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        401: ERRORS[401],
    },
)
async def metrics(request: Request) -> Response:
    """Return all metrics in Prometheus's text format."""
    engine: Engine = request.app.state.engine
    return Response(engine.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def _health(request: Request, status: Status) -> HealthStatus:
    engine: Engine = request.app.state.engine
    return HealthStatus(
        status="ok" if status.ready else "unavailable",
        reason=status.reason,
        model=engine.model.info.name,
        version=__version__,
    )
