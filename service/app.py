"""The application, a function of its settings; the model is loaded when it starts."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI

from service.engine import Engine
from service.errors import install_error_handlers
from service.routes import router
from service.settings import Settings
from similarity.models.base import LanguageModel
from similarity.models.loader import LoadOptions, load_model
from similarity.version import __version__

Loader = Callable[[], LanguageModel]

DESCRIPTION = (
    "How alike two texts are in meaning, from the continuations that a language model gives "
    "them: no training, any model, every score explainable."
)


def create_app(settings: Settings, load: Loader | None = None) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    load
        Makes the model; by default the one that the settings name.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        model = await anyio.to_thread.run_sync(load or (lambda: _load(settings)))
        app.state.engine = Engine(model)
        yield

    app = FastAPI(
        title="trajsim",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        max_body_size=settings.max_body_bytes,
        lifespan=lifespan,
    )
    app.state.settings = settings
    install_error_handlers(app)
    app.include_router(router)
    return app


def _load(settings: Settings) -> LanguageModel:
    return load_model(settings.model, LoadOptions(device=settings.device, dtype=settings.dtype))
