"""What becomes of connections and of answers under way when the service goes down."""

import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from service.http import json_stream, sockets
from similarity.models.toy import ToyModel
from tests.service.models import FaultyModel
from tests.service.servers import eventually, serving

SMALL = {"n_trajectories": 2, "max_tokens": 3}
PAIR = {"pairs": [["a", "b"]], **SMALL}
ROWS = ["A man is playing a guitar.", "It rains.", "Some call it a day."]
NOT_WHOLE = "ASGI callable returned without completing response."


def matrix(rows):
    return json.dumps({"rows": ROWS * (rows // 3), **SMALL}).encode()


@contextmanager
def asked(url, body):
    """Ask for an answer, and read nothing of it."""
    head = "POST /v1/similarity HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        connection.settimeout(20)
        yield connection


def terminate(server):
    server.handle_exit(signal.SIGTERM, None)


def answers(caplog):
    """Return the status and the code of each request that was logged."""
    requests = [r for r in caplog.records if r.__dict__.get("method") == "POST"]
    return [(request.status, getattr(request, "code", None)) for request in requests]


def failures(server, code):
    registry = server.config.app.state.metrics.registry
    return registry.get_sample_value("trajsim_failures_total", {"code": code})


def unread(server):
    """Return the bytes that are kept here for clients."""
    connections = list(server.server_state.connections)
    return sum(one.transport.get_write_buffer_size() for one in connections)


def test_an_answer_that_is_cut_off_as_the_service_goes_down_is_no_success(caplog):
    caplog.set_level("INFO")
    with (
        serving(ToyModel(), grace_seconds=0.3, drain_seconds=0) as (url, server),
        asked(url, matrix(510)),
    ):
        assert eventually(lambda: unread(server))
        terminate(server)
        assert eventually(lambda: answers(caplog))
    assert answers(caplog) == [(200, "shutting_down")]
    assert failures(server, "shutting_down") == 1
    assert NOT_WHOLE not in caplog.text


def test_an_answer_that_fails_on_its_way_is_no_success(caplog, monkeypatch):
    """The kind of the one above: a code was given to answers that had not begun alone."""

    async def fail_after_one(chunks):
        yield next(chunks)
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(json_stream, "_yielding", fail_after_one)
    caplog.set_level("INFO")
    with serving(ToyModel()) as (url, server):
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            httpx.post(
                f"{url}/v1/similarity",
                content=matrix(150),
                headers={"content-type": "application/json"},
            )
        assert eventually(lambda: answers(caplog))
        assert answers(caplog) == [(200, "internal_error")]
        assert failures(server, "internal_error") == 1
        assert eventually(lambda: not server.server_state.connections)
    assert NOT_WHOLE not in caplog.text


@pytest.mark.longer
def test_what_is_buffered_of_an_answer_is_read_within_the_grace_period(monkeypatch):
    """The application had written it, so the service ended a second later and took it along."""
    monkeypatch.setattr(sockets, "SEND_BYTES", 4096)
    with (
        serving(ToyModel(), grace_seconds=20, drain_seconds=0) as (url, server),
        asked(url, matrix(48)) as connection,
    ):
        assert eventually(lambda: server.server_state.total_requests == 1)
        assert unread(server)
        terminate(server)
        # It would have ended by now.
        assert not eventually(lambda: server.should_exit, 2)
        read = b"".join(iter(lambda: connection.recv(2**16), b""))
    # The last chunk.
    assert read.endswith(b"\r\n0\r\n\r\n")


def test_after_sigterm_every_answer_closes_its_connection():
    """Else a client sent its next request to a connection that was then reset."""
    model = FaultyModel()
    with (
        serving(model, drain_seconds=60, probe_seconds=100) as (url, server),
        ThreadPoolExecutor(1) as pool,
        httpx.Client(base_url=url) as client,
    ):
        before = client.get("/health/live")
        assert "connection" not in before.headers
        model.free.clear()
        begun = pool.submit(httpx.post, f"{url}/v1/similarity", json=PAIR)
        metrics = f"{url}/metrics"
        assert eventually(lambda: "trajsim_active_requests 1.0" in httpx.get(metrics).text)
        terminate(server)
        assert eventually(lambda: client.get("/health/ready").status_code == 503)
        answers = [
            client.post("/v1/similarity", json=PAIR),
            client.get("/health/ready"),
            client.get("/health/live"),
            client.get("/metrics"),
            client.get("/none"),
        ]
        model.free.set()
        answers.append(begun.result())
    assert [answer.status_code for answer in answers] == [503, 503, 200, 503, 503, 200]
    assert {answer.headers.get("connection") for answer in answers} == {"close"}
