"""Answers that nobody reads: little of them is kept, not for long, and they are recorded."""

import json
import re
import socket
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.http.sockets import SEND_BYTES
from similarity.models.toy import ToyModel
from tests.service.servers import eventually, serving

pytestmark = [
    pytest.mark.longer,
    pytest.mark.skipif(
        sys.platform != "linux", reason="what the system keeps is read from /proc/net/tcp of Linux"
    ),
]

ROWS = ["A man is playing a guitar.", "It rains.", "Some call it a day."]
JSON = "Content-Type: application/json\r\n"
LISTENS = "0A"
# Seconds that a busy machine may take to make an answer, or to give the metrics beside it.
PATIENCE = 60


def content(times):
    return json.dumps({"rows": ROWS * times, "n_trajectories": 2, "max_tokens": 3}).encode()


# Answers of more than 6 MB; of 1 MB; and of as much as fits into the two systems' buffers.
LARGE, MIDDLE, SMALL = content(170), content(70), content(30)


@contextmanager
def asked(url, body, count=1, headers=""):
    """Ask for answers, and read nothing of them."""
    port = int(url.rpartition(":")[2])
    head = f"POST /v1/similarity HTTP/1.1\r\nHost: localhost\r\n{JSON}{headers}"
    connections = [socket.socket() for _ in range(count)]
    try:
        for connection in connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", port))
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        yield connections
    finally:
        for connection in connections:
            connection.close()


def kept(url):
    """Return the bytes that the system keeps for each client of a server that has any."""
    port = f":{int(url.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    queues = [line[4] for line in lines if line[1].endswith(port) and line[3] != LISTENS]
    return [count for queue in queues if (count := int(queue.partition(":")[0], 16))]


def metrics(url):
    return httpx.get(f"{url}/metrics", timeout=PATIENCE).text


def failures(url):
    found = re.search(r'trajsim_failures_total\{code="answer_not_read"\} (\S+)', metrics(url))
    return float(found[1]) if found else 0.0


def test_the_system_takes_little_of_an_answer_that_nobody_reads():
    """It took up to 4 MB, so that what was written and never read was counted by nothing."""
    with serving(ToyModel(), write_seconds=60) as (url, _), asked(url, MIDDLE):
        assert eventually(lambda: sum(kept(url)) > SEND_BYTES / 2, PATIENCE)
        # The answer is longer than that, and it is still being written.
        assert not eventually(lambda: sum(kept(url)) > 2 * SEND_BYTES, 0.5)
        assert "trajsim_answers_bytes 0.0" not in metrics(url)


def test_a_client_that_reads_steadily_but_slowly_keeps_its_connection():
    """What is buffered for it became less only by steps of some 170 KB, each too late."""
    with serving(ToyModel(), write_seconds=2) as (url, _), asked(url, MIDDLE) as (connection,):
        end = time.monotonic() + 8
        while time.monotonic() < end:
            assert connection.recv(4096)
            time.sleep(0.08)
        assert failures(url) == 0


@pytest.mark.parametrize("headers", ["", "Connection: close\r\n"], ids=["kept open", "closed"])
def test_what_the_system_keeps_of_a_whole_answer_is_dropped_in_time(headers):
    with (
        serving(ToyModel(), write_seconds=0.5) as (url, server),
        asked(url, SMALL, 3, headers),
    ):
        assert eventually(lambda: server.server_state.total_requests >= 3)
        # Their clients still have them open.
        assert eventually(lambda: not kept(url), 20)
        assert eventually(lambda: not server.server_state.connections)


@pytest.mark.parametrize(
    ("settings", "body"),
    [
        ({"write_seconds": 0.5}, LARGE),
        # Of less, so that it is made within the deadline on a busy machine too.
        ({"write_seconds": 60, "deadline_seconds": 2}, MIDDLE),
        ({"write_seconds": 60, "max_connections": 1}, SMALL),
    ],
    ids=["read on too late", "all of it too late", "made room"],
)
def test_connections_that_are_given_up_leave_nothing_in_the_system(settings, body):
    """They stayed with half a megabyte of data each, counted as connections no more."""
    with serving(ToyModel(), **settings) as (url, server), asked(url, body):
        assert eventually(lambda: kept(url), PATIENCE)
        if body is SMALL:
            assert eventually(lambda: server.server_state.total_requests == 1)
            models = f"{url}/v1/models"
            assert eventually(lambda: httpx.get(models, timeout=PATIENCE).status_code == 200)
        assert eventually(lambda: not server.server_state.connections, 20)
        assert eventually(lambda: not kept(url), 5)


@pytest.mark.parametrize(
    ("settings", "body"),
    [({"write_seconds": 0.5}, LARGE), ({"write_seconds": 60, "deadline_seconds": 2}, MIDDLE)],
    ids=["read on too late", "all of it too late"],
)
def test_an_answer_that_is_cut_off_as_nobody_reads_it_is_no_success(caplog, settings, body):
    caplog.set_level("INFO", "service.access")
    with serving(ToyModel(), **settings) as (url, server), asked(url, body):
        assert eventually(lambda: server.server_state.connections)
        assert eventually(lambda: not server.server_state.connections, 20)
        assert eventually(lambda: failures(url) == 1)
    codes = [getattr(r, "code", None) for r in caplog.records if r.__dict__.get("method") == "POST"]
    assert codes == ["answer_not_read"]


def test_an_answer_that_is_read_and_one_refused_arrive_whole():
    with serving(ToyModel(), write_seconds=5) as (url, _):
        answer = httpx.post(
            f"{url}/v1/similarity",
            content=LARGE,
            headers={"content-type": "application/json"},
            timeout=PATIENCE,
        )
        assert len(answer.json()["distances"]) == 510
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            connection.sendall(b"this is no HTTP\r\n\r\n")
            read = b"".join(iter(lambda: connection.recv(100), b""))
        assert read.endswith(b"}}")
        assert failures(url) == 0
