"""A process whose file descriptors are used up: it says so once, and goes on."""

import asyncio
import errno
import logging
import resource
import socket
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from service.http.descriptors import SILENCE_SECONDS, AcceptFailures
from tests.service.servers import ServeProcess, eventually

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


@pytest.mark.parametrize(("connections", "warned"), [(200, True), (20, False)])
def test_more_connections_than_open_files_are_warned_of_at_the_start(connections, warned):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        served = ServeProcess("--model", "toy", "--max-connections", str(connections))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with served:
        _, log = served.stop()
    assert ("connections beyond" in log) is warned
    if warned:
        assert "max_connections is 200, and the system lets this process open 200 files" in log
        assert "(ulimit -n), or lower TRAJSIM_MAX_CONNECTIONS" in log


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
