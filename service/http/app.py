"""The application, a function of its settings; the model is loaded when it starts."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from service.engine.engine import Engine
from service.engine.exceptions import NoResourcesError
from service.engine.lacks import lacks_of
from service.engine.limits import check_usual
from service.engine.metrics import Metrics
from service.engine.workers import start_in_thread
from service.http import page
from service.http.description import describe
from service.http.edge import PAGE_METHODS, Edge
from service.http.fetching import FetchPlaces
from service.http.images import DECODERS
from service.http.middleware import Drain, RequestMiddleware
from service.http.problems import is_private, problem_found, refusal
from service.http.room import Room
from service.http.routes import (
    cohere,
    cohere_embed,
    consensus,
    entailment,
    groups,
    models,
    openai,
    operation,
    research,
    similarity,
    tei,
    tokens,
    vllm,
)
from service.http.security import Authentication, HostCheck
from service.http.tracing import Tracing, open_tracing
from service.http.unrouted import Unrouted
from service.settings import Settings
from similarity import presets
from similarity.errors import TrajsimError
from similarity.known_scales import KnownScales
from similarity.models.base import LanguageModel
from similarity.models.loader import LoadOptions, load_model
from similarity.scorer import Progress, no_progress
from similarity.scorers import ScoringRequest, check_generates, plan_scoring
from similarity.vectors import recipes
from similarity.vectors.general import VectorSource, find_vectors
from similarity.vectors.meaning import MeaningVectors
from similarity.version import __version__

Loader = Callable[[], LanguageModel]
VectorsLoader = Callable[[LanguageModel], MeaningVectors | None]

logger = logging.getLogger(__name__)

# For each part of the application to end.
CLOSE_SECONDS = 6.0

# Long bodies that are parsed at once: each keeps the interpreter to itself for a while, and of
# many that wait for it the event loop would be but one.
PARSERS = 1
# Other work of requests that is done at once beside the model's: costs, groups and matrices.
HELPERS = 8
# Files of the page that are read at once, each in a thread of anyio's, which is kept for later.
READERS = 2

# In the order of the documentation.
ROUTES = (
    similarity,
    entailment,
    consensus,
    groups,
    research,
    models,
    tei,
    tokens,
    vllm,
    cohere,
    cohere_embed,
    openai,
    operation,
    page,
)

DESCRIPTION = (
    "How alike two texts are in meaning, from the continuations that a language model gives "
    "them: no training, any model, every score explainable."
)


def create_app(
    settings: Settings,
    load: Loader | None = None,
    tracing: Tracing | None = None,
    vectors_of: VectorsLoader | None = None,
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    load
        Makes the model; by default the one that the settings name.
    tracing
        Where traces go; by default where the settings say.
    vectors_of
        Gives the model's meaning vectors; by default `served_vectors`.

    Raises
    ------
    MissingDependencyError
        If traces are configured and OpenTelemetry is not installed.
    """
    metrics = Metrics()
    drain = Drain()
    tracing = tracing or open_tracing(settings.otlp_endpoint)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = READERS
        model = await start_in_thread(load or (lambda: _load(settings)), "load")
        find = vectors_of or (lambda model: served_vectors(settings, model))
        vectors = await start_in_thread(lambda: find(model), "load")
        app.state.lacks = await start_in_thread(lambda: lacks_of(settings, model), "load")
        engine = app.state.engine = Engine(model, settings, metrics, vectors)
        drain.engine = engine
        watch = asyncio.create_task(engine.watch())
        yield
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        for close in (engine.close, model.close, *([tracing.close] if tracing else [])):
            # A backend that hangs may keep its own client from closing.
            with anyio.move_on_after(CLOSE_SECONDS):
                await _close(close)

    # Its documentation page loads nothing from elsewhere: it must work where there is no internet.
    app = FastAPIOffline(
        redoc_url=None,
        # A redirect would repeat the Host that the client sent, whichever it is.
        redirect_slashes=False,
        title="trajsim",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.drain = drain
    app.state.fetches = FetchPlaces()
    app.state.decoders = anyio.CapacityLimiter(DECODERS)
    app.state.parsers = anyio.CapacityLimiter(PARSERS)
    app.state.helpers = anyio.CapacityLimiter(HELPERS)
    answers = app.state.answers = Room(
        settings.max_answers_bytes,
        "the answers that are being written are",
        "TRAJSIM_MAX_ANSWERS_BYTES",
    )
    metrics.watch("answers_bytes", "Bytes of answers being written.", lambda: answers.held)
    for kind in (TrajsimError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer_problem)
    for module in ROUTES:
        app.include_router(module.router)
    own = (route for module in ROUTES for route in module.router.routes)
    app.state.unrouted = Unrouted([*app.routes, *own])
    _add_middleware(app, settings, metrics, tracing, drain)
    describe(app, settings)
    return app


def _add_middleware(
    app: FastAPI, settings: Settings, metrics: Metrics, tracing: Tracing | None, drain: Drain
) -> None:
    """Add middleware; what is added last is outermost."""
    if keys := settings.keys():
        app.add_middleware(Authentication, keys=keys)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=PAGE_METHODS,
            # Clients and tracers add their own. No cookie is read, so a header gives no rights.
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=["X-Request-Id", "X-Truncated-Texts", "Retry-After"],
        )
    if (hosts := settings.hosts()) is not None:
        app.add_middleware(HostCheck, hosts=hosts)
    app.add_middleware(Edge)
    app.add_middleware(
        RequestMiddleware,
        metrics=metrics,
        tracing=tracing,
        drain=drain,
        unrouted=app.state.unrouted,
        max_body_bytes=settings.max_body_bytes,
        bodies=Room(
            settings.max_bodies_bytes,
            "the bodies of all requests, with the images fetched for them, are",
            "TRAJSIM_MAX_BODIES_BYTES",
        ),
        body_seconds=settings.body_seconds,
    )


async def _close(close: Callable[[], None]) -> None:
    """Close a part of the application in a thread, or in this one if there is no other."""
    try:
        closing = start_in_thread(close, "close")
    except NoResourcesError:
        close()
    else:
        await closing


async def _answer_problem(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        error = request.app.state.unrouted.explained(error, request)
    if is_private(error):
        facts = {"request_id": request.state.request_id, "error": type(error).__name__}
        logger.error("the model failed a request: %s", error, extra=facts)
    body_field = getattr(request.scope.get("route"), "body_field", None)
    request_type = None if body_field is None else body_field.field_info.annotation
    body = getattr(request.state, "content", None)
    problem = await problem_found(error, body, request_type, request.app.state.parsers)
    return refusal(problem, request.scope)


def _load(settings: Settings) -> LanguageModel:
    return load_model(settings.model, LoadOptions(device=settings.device, dtype=settings.dtype))


def served_vectors(
    settings: Settings, model: LanguageModel, progress: Progress = no_progress
) -> MeaningVectors | None:
    """Return the vectors that the settings name, or the model's own; None where it has none.

    Raises
    ------
    ConfigError
        If a folder has no vectors of this model, or the settings' preset needs other ones.
    """
    found = find_vectors(settings.vectors, model)
    check_generates(model, ScoringRequest(preset=settings.preset))
    # Refused now, not at each request.
    plan_scoring(ScoringRequest(), found.names, settings.preset, found.lacks)
    if not found.names and model.generates:
        return None
    return found.open(*served_groups(settings, found), progress=progress)


def check_scales(model: LanguageModel, vectors: MeaningVectors | None) -> None:
    """Read the scales of all presets that can be served.

    Raises
    ------
    InputError
        If one cannot be read: every request would find that.
    """
    scales = KnownScales(model)
    groups = None if vectors is None else vectors.names
    for name in presets.possible_presets(groups, generates=model.generates):
        plan_scoring(ScoringRequest(preset=name), groups).open(model, vectors, scales=scales)


def check_limits(settings: Settings, vectors: MeaningVectors | None) -> None:
    """Refuse limits by which every request that names no preset is refused.

    Raises
    ------
    ConfigError
        Saying which limit it is, and what to set.
    """
    groups = None if vectors is None else vectors.names
    check_usual(plan_scoring(ScoringRequest(), groups, settings.preset), settings)


def served_groups(settings: Settings, source: VectorSource) -> list[str]:
    """Return the groups of features to serve: all that are at hand, or need a short reading.

    Reference trajectories of a model for which none ship are read only if the settings' preset
    compares by them: that takes minutes.
    """
    wanted = source.opened is not None or settings.preset == presets.TRAJECTORIES
    slow = recipes.TRAJECTORIES.name
    names = [name for name in source.names if wanted or name != slow]
    return names or list(source.names)
