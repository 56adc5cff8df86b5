"""A backend that is away, in every way that it can be: 503 within seconds, and then back again."""

import asyncio

import httpx
import pytest

from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.loader import load_server
from tests.service.servers import eventually, running
from tests.similarity.models.fake_server import FakeServer, transport

SMALL = {"n_trajectories": 2, "max_tokens": 3}
# Of the deadline: a request that nobody ended before gets 504.
PATIENCE = 20.0
# Left to itself the pool would ask the backend for ever.
STUBBORN = ServerConfig(patience=1_000, attempts=1_000, read_timeout=1_000)


class Backend(FakeServer):
    """A server that can be killed, stopped, refuse all work, or break off its answers."""

    mode = "well"

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if self.mode == "stopped":
            await asyncio.sleep(1_000)
        if self.mode == "killed":
            raise httpx.ConnectError("All connection attempts failed", request=request)
        if request.url.path not in ("/health", "/v1/models"):
            if self.mode == "hanging":
                await asyncio.sleep(1_000)
            if self.mode == "overloaded":
                return httpx.Response(503, headers={"Retry-After": "1"})
            if self.mode == "truncated":
                raise httpx.RemoteProtocolError("peer closed connection", request=request)
        return await super().handle(request)


@pytest.mark.parametrize("mode", ["killed", "stopped", "overloaded", "truncated"])
def test_requests_for_new_texts_get_503_soon_and_an_answer_when_it_is_back(mode, monkeypatch):
    # Without vectors, which would be made of many more requests at the start.
    monkeypatch.setattr("service.http.app.served_vectors", lambda _settings, _model: None)
    backend = Backend()
    model = load_server("http://one:8000", STUBBORN, transport=transport(one=backend))
    with running(model, probe_seconds=1, deadline_seconds=PATIENCE) as url:

        def ask(text):
            body = {"pairs": [[text, "b"]], **SMALL}
            return httpx.post(f"{url}/v1/similarity", json=body, timeout=2 * PATIENCE)

        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        assert ask("first").status_code == 200
        backend.mode = mode
        answer = ask("second")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
        backend.mode = "well"
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200, 30)
        assert ask("third").status_code == 200
