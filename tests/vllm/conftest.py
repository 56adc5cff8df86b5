"""Servers for a whole run of tests; without an environment that has vLLM none of them is run."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from similarity.models.loader import EMBEDDED_PATH
from similarity.models.local import LocalModel, load_local
from tests.vllm.servers import NO_CACHE, PYTHON, Server

collect_ignore_glob = [] if PYTHON else ["test_*.py"]

Start = Callable[..., Server]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Return a starter of servers, all of which end with the session."""
    logs = tmp_path_factory.mktemp("logs")
    started: list[Server] = []

    def start_server(
        model: Path = EMBEDDED_PATH,
        flags: tuple[str, ...] = NO_CACHE,
        environment: Mapping[str, str] | None = None,
    ) -> Server:
        server = Server(model, logs / f"{len(started)}.log", flags, environment)
        started.append(server)
        return server.start()

    yield start_server
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def servers(start: Start) -> tuple[Server, Server]:
    """Return two servers of the embedded model."""
    first, second = start(), start()
    return first.wait(), second.wait()


@pytest.fixture(scope="session")
def server(servers: tuple[Server, Server]) -> Server:
    return servers[0]


@pytest.fixture(scope="session")
def local() -> LocalModel:
    """Return the embedded model in this process, in float32."""
    return load_local(str(EMBEDDED_PATH), name="embedded", device="cpu", dtype="float32")
