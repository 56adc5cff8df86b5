"""Applications on models that need no torch."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from service.client import AsyncClient, Client
from service.engine.cache import Cache
from service.engine.metrics import Metrics
from service.engine.pace import Pace
from service.engine.scheduler import Scheduler
from service.engine.shared import SharedModel
from service.http.app import create_app
from service.settings import Settings
from similarity.models.base import LanguageModel
from similarity.models.toy import ToyModel
from tests.service.models import FaultyModel

Opener = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TRAJSIM_{name.upper()}", raising=False)


@pytest.fixture
def open_client() -> Iterator[Opener]:
    """Open clients of applications with given settings; all are closed at the end."""
    opened: list[TestClient] = []

    def open_one(model: LanguageModel | None = None, **settings: object) -> TestClient:
        # Most tests are of trajectories; those of presets say which.
        if "vectors" not in settings:
            settings.setdefault("preset", "paper")
        app = create_app(Settings(**settings), lambda: model or ToyModel())
        client = TestClient(app, "http://localhost", raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        return client

    yield open_one
    for client in reversed(opened):
        client.__exit__(None, None, None)


@pytest.fixture
def client(open_client: Opener) -> TestClient:
    """Return a client of an application with default settings on the toy model."""
    return open_client()


class Ignorant:
    """An observer that keeps what it observes."""

    def __init__(self):
        self.calls = []

    def call_began(self):
        pass

    def call_went_on(self):
        pass

    def call_ended(self, stage, items, tokens, error):
        self.calls.append((stage, items, tokens))


@pytest.fixture
def shared():
    """Return a function that shares a model; the schedulers are closed at the end."""
    opened = []

    def share(model, *, batch_tokens=10_000, cache_bytes=0, vectors=None):
        cache = Cache(cache_bytes)
        observer = Ignorant()
        pace = Pace(10.0, batch_tokens)
        scheduler = Scheduler(model, pace=pace, cache=cache, observer=observer, vectors=vectors)
        opened.append((scheduler, model))
        return SharedModel(model, scheduler, cache, Metrics(), vectors)

    yield share
    for scheduler, model in opened:
        if isinstance(model, FaultyModel):
            model.free.set()
        scheduler.close(patience=5)


@pytest.fixture(params=["sync", "async"])
def ask(request):
    """Return a function that calls a method of either kind of client."""

    def call(method, *args, url="http://test", transport=None, retries=2, **kwargs):
        if request.param == "sync":
            with Client(url, retries=retries, transport=transport) as client:
                return getattr(client, method)(*args, **kwargs)

        async def run():
            async with AsyncClient(url, retries=retries, transport=transport) as client:
                return await getattr(client, method)(*args, **kwargs)

        return asyncio.run(run())

    return call
