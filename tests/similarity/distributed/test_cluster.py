import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from similarity.distributed import cluster
from similarity.distributed.cluster import Cluster, Placement, connect, place_workers
from similarity.errors import BackendUnavailableError, ConfigError, MissingDependencyError
from tests.similarity.distributed.fake_ray import FakeRay


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """Give the address of a server that answers one connection, or says nothing for None."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                if answer is None:
                    connection.recv(100)
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.fixture
def _without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "load_ray", FakeRay)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'ray\[data\]' pyarrow"):
        connect(Cluster(address="auto"))


@pytest.mark.usefixtures("_without_ray")
def test_an_address_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster.ANSWER_SECONDS == 10
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.1)
    with listening(None) as address, pytest.raises(BackendUnavailableError, match="did not answer"):
        connect(Cluster(address=address))


@pytest.mark.usefixtures("_without_ray")
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_is_no_ray_is_reported(answer: bytes) -> None:
    with listening(answer) as address, pytest.raises(BackendUnavailableError, match="is no Ray"):
        connect(Cluster(address=address))


@pytest.mark.usefixtures("_without_ray")
def test_nothing_at_an_address_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(BackendUnavailableError, match=f"no Ray at 127.0.0.1:{port}"):
        connect(Cluster(address=f"127.0.0.1:{port}"))


@pytest.mark.usefixtures("_without_ray")
@pytest.mark.parametrize("address", ["host", "host:", ":1", "host:port", "host:70000", ""])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="host:port"):
        connect(Cluster(address=address))


@pytest.mark.usefixtures("_without_ray")
def test_ray_client_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(ConfigError, match="ray job submit"):
        connect(Cluster(address="ray://host:10001"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("workers", 0), ("cpus_per_worker", 0), ("gpus_per_worker", -1), ("gpus_per_worker", 1.5)],
)
def test_options_out_of_range_are_refused(name: str, value: float) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')}"):
        Cluster(address="auto", **given)


@pytest.mark.parametrize(
    ("resources", "asked", "placed"),
    [
        ({"CPU": 6.0}, {}, Placement(3, 0.0, 1)),
        ({"CPU": 6.0}, {"workers": 2, "cpus_per_worker": 3}, Placement(2, 0.0, 3)),
        ({"CPU": 64.0, "GPU": 8.0}, {}, Placement(8, 1.0, 1)),
        ({"CPU": 64.0, "GPU": 8.0}, {"gpus_per_worker": 0.5}, Placement(16, 0.5, 1)),
        ({"CPU": 64.0, "GPU": 8.0}, {"gpus_per_worker": 0}, Placement(3, 0, 1)),
    ],
)
def test_workers_are_placed(
    resources: dict[str, float], asked: dict[str, Any], placed: Placement
) -> None:
    asked_for = Cluster(address="auto", **asked)
    assert place_workers(asked_for, FakeRay(resources, machines=3)) == placed


@pytest.mark.parametrize("asked", [{"workers": 7}, {"gpus_per_worker": 1}])
def test_more_than_there_is_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="the cluster has"):
        place_workers(Cluster(address="auto", **asked), FakeRay({"CPU": 6.0}))
