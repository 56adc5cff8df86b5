"""A process whose file descriptors are used up: it says so once, and goes on."""

import asyncio
import errno
import logging
import resource
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from service.http.descriptors import (
    OF_REFUSALS,
    OF_REQUESTS,
    SILENCE_SECONDS,
    AcceptFailures,
    connections_that_fit,
)
from tests.service.servers import ServeProcess, eventually

pytestmark = pytest.mark.longer

USED_UP = OSError(errno.EMFILE, "Too many open files")


@pytest.fixture
def loop():
    with asyncio.Runner() as runner:
        yield runner.get_loop()


def test_thousands_of_failures_to_accept_are_one_line(loop, caplog):
    now = 0.0
    failures = AcceptFailures(lambda: now)
    for _ in range(2_000):
        failures(loop, {"exception": USED_UP, "socket": None, "message": "accept()"})
    assert len(caplog.records) == 1
    assert "Too many open files" in caplog.messages[0]
    assert caplog.records[0].exc_info is None
    now = SILENCE_SECONDS
    failures(loop, {"exception": USED_UP, "socket": None, "message": "accept()"})
    assert len(caplog.records) == 2


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.EPIPE, "x"), USED_UP])
def test_all_else_is_reported_as_before(loop, caplog, error):
    with caplog.at_level(logging.ERROR, "asyncio"):
        AcceptFailures()(loop, {"exception": error, "message": "a callback failed"})
    assert [record.name for record in caplog.records] == ["asyncio"]


def test_the_limit_of_open_files_is_raised_for_the_connections():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ServeProcess(
        "--model", "toy", "--max-connections", "200", open_files=(200, hard)
    ) as served:
        found = resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE)
        _, log = served.stop()
    assert 200 + OF_REQUESTS + OF_REFUSALS < found[0] < 400 + OF_REFUSALS
    assert found[1] == hard
    assert "max_connections" not in log


@pytest.mark.parametrize("most", [10, 40, 64, 128, 200, 300])
def test_connections_that_do_not_fit_are_not_taken_and_warned_of(most, monkeypatch, caplog):
    """With 64 files "connections beyond 0 will wait" was said, and 800 were taken."""
    limits = [(most // 2, most)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    own = len(list(Path("/proc/self/fd").iterdir()))
    fitting, told = connections_that_fit(200)
    assert limits[-1] == (min(most, own + OF_REQUESTS + OF_REFUSALS + 200), most)
    assert fitting == 1 or fitting + told < most - own
    assert fitting >= min(200, (most - own) // 2)
    assert (f"{fitting} connections are held at once" in caplog.text) is (fitting < 200)


def test_connections_beyond_what_fits_make_room():
    """With few files the idle ones kept all others waiting for 19 seconds."""
    with ServeProcess("--model", "toy", open_files=(64, 64)) as served:
        parts = urlsplit(served.url)
        held = [socket.create_connection((parts.hostname, parts.port)) for _ in range(100)]
        models = f"{served.url}/v1/models"
        assert eventually(lambda: httpx.get(models, timeout=10).status_code == 200)
        for connection in held:
            connection.close()
        _, log = served.stop()
    assert "connections are held at once: raise the limit of open files" in log
    assert "Traceback" not in log


def test_a_service_without_descriptors_waits_and_answers_later():
    with ServeProcess("--model", "toy") as served:
        parts = urlsplit(served.url)
        open_now = psutil.Process(served.process.pid).num_fds()
        resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, (open_now + 5, 1024))
        held = [socket.create_connection((parts.hostname, parts.port)) for _ in range(20)]
        eventually(lambda: psutil.Process(served.process.pid).num_fds() >= open_now + 5)
        for connection in held:
            connection.close()
        assert httpx.get(f"{served.url}/health/live", timeout=10).status_code == 200
        served.process.terminate()
        _, log = served.process.communicate(timeout=30)
    assert log.count("new connections wait") == 1
    assert "Traceback" not in log
