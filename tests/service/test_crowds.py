"""Many connections and many bodies at once: bounded, and nobody is kept out by those that wait."""

import asyncio
import json
import select
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.datastructures import Headers

from service.engine.exceptions import BusyError
from service.http import connection as connections
from service.http import crowd
from service.http.body import Body
from service.http.crowd import SILENCE_SECONDS, Crowd
from service.http.room import Room
from similarity.models.toy import ToyModel
from tests.service.models import FaultyModel
from tests.service.servers import eventually, running, serving, stand_still

pytestmark = pytest.mark.longer

HEAD = b"POST /v1/similarity HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BODY = {"pairs": [["a", "b"]], "n_trajectories": 2, "max_tokens": 2}
# Large, as a body may have any white space.
LARGE = json.dumps(BODY).encode() + b" " * 90_000
SMALL = json.dumps({**BODY, "seed": 1}).encode()
JSON = {"content-type": "application/json"}


def connect(url):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def is_closed(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "begun",
    [b"", HEAD[:30], HEAD + b"Content-Length: 100\r\n\r\n{", b"GET /health/live HTTP/1.1\r\n"],
    ids=["silent", "half a head", "half a body", "no host"],
)
def test_one_connection_more_closes_that_which_has_waited_longest(begun):
    with serving(ToyModel(), max_connections=5) as (url, server):
        waiting = []
        for number in range(5):
            waiting.append(connect(url))
            waiting[-1].sendall(begun)
            open_now = server.server_state.connections
            assert eventually(lambda n=number, known=open_now: len(known) == n + 1)
        assert eventually(lambda: httpx.get(f"{url}/v1/models").status_code == 200)
        assert is_closed(waiting[0])
        with connect(url) as other:
            other.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert other.recv(65536).startswith(b"HTTP/1.1 200")
        waiting[-1].settimeout(0.2)
        with pytest.raises(TimeoutError):
            is_closed(waiting[-1])
        for connection in waiting:
            connection.close()


def test_connections_whose_requests_are_answered_are_left_alone_and_one_more_is_refused():
    model = FaultyModel()
    opened = serving(model, max_connections=2, preset="paper")
    with opened as (url, server), ThreadPoolExecutor(2) as pool:
        model.free.clear()
        asked = [
            pool.submit(httpx.post, f"{url}/v1/similarity", json={**BODY, "seed": seed})
            for seed in range(2)
        ]
        assert eventually(lambda: len(server.server_state.tasks) == 2)
        assert model.entered.acquire(timeout=20)
        refused = httpx.get(f"{url}/v1/models")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "too_many_connections"
        assert refused.json()["error"]["request_id"] == refused.headers["x-request-id"]
        assert refused.headers["retry-after"] == "1"
        model.free.set()
        assert [one.result(20).status_code for one in asked] == [200, 200]
        assert httpx.get(f"{url}/v1/models").status_code == 200
        assert 'trajsim_failures_total{code="too_many_connections"} 1.0' in metrics(url)


WHOLE = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(SMALL) + SMALL


async def answers(url, count):
    """Return the status of each of so many whole requests, or why there is none; all at once."""
    parts = urlsplit(url)

    async def ask():
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(WHOLE)
            answer = await reader.read()
            writer.close()
        except OSError as error:
            return type(error).__name__
        assert b"200 OK" in answer or b"\r\nretry-after: " in answer.lower()
        return int(answer.split()[1])

    return Counter(await asyncio.gather(*(ask() for _ in range(count))))


@pytest.mark.parametrize("count", [12, 60, 200])
def test_in_a_burst_of_whole_requests_every_client_reads_an_answer(count, monkeypatch):
    """Those that were accepted first were reset, as their requests had not been read yet."""
    # Where the machine is busy, a client here may come to send its request seconds after it called.
    for module in (connections, crowd):
        monkeypatch.setattr(module, "WAIT_SECONDS", 60)
    with serving(ToyModel(), max_connections=10, preset="paper") as (url, server):
        found = asyncio.run(answers(url, count))
        assert set(found) == {200, 503}
        assert found[200] >= 10
        assert eventually(lambda: not server.server_state.connections)
        assert f'code="too_many_connections"}} {found[503]}.0' in metrics(url)


def test_whole_requests_that_came_while_the_process_stood_still_are_read_first():
    with serving(ToyModel(), max_connections=5, preset="paper") as (url, server):
        known = [connect(url) for _ in range(5)]
        assert eventually(lambda: len(server.server_state.connections) == 5)
        stand_still(server, 2)
        new = [connect(url) for _ in range(5)]
        for connection in known + new:
            connection.sendall(WHOLE)
        codes = [status(connection) for connection in known + new]
        for connection in known + new:
            connection.close()
    assert codes[:5] == [b"200"] * 5
    assert set(codes[5:]) <= {b"200", b"503"}


def test_a_connection_that_has_begun_its_request_is_left_alone_for_a_moment():
    """Head and body come apart: between them one that had been idle before was reset."""
    opened = serving(ToyModel(), max_connections=1, preset="paper")
    with opened as (url, server), connect(url) as idle:
        time.sleep(1.5)
        body = WHOLE.index(b"{")
        idle.sendall(WHOLE[:body])
        assert eventually(lambda: server.server_state.tasks)
        assert httpx.get(f"{url}/v1/models").status_code == 503
        idle.sendall(WHOLE[body:])
        assert status(idle) == b"200"


@pytest.mark.parametrize(
    "begun", [b"", HEAD[:30], HEAD + b"Content-Length: 100\r\n\r\n{"], ids=["none", "head", "body"]
)
def test_a_connection_too_many_is_told_so_though_its_request_never_comes(begun):
    model = FaultyModel()
    opened = running(model, max_connections=1, preset="paper", body_seconds=60)
    with opened as url, connect(url) as busy:
        model.free.clear()
        busy.sendall(WHOLE)
        assert model.entered.acquire(timeout=20)
        with connect(url) as other:
            other.sendall(begun)
            assert status(other) == b"503"
        # Whether the service lives is answered all the same.
        assert httpx.get(f"{url}/health/live").headers["connection"] == "close"
        model.free.set()
        assert status(busy) == b"200"


TOO_LONG = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 3_000_000
NO_CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + b"a" * 3_000_000


@pytest.mark.parametrize(
    ("code", "sent"), [(431, TOO_LONG), (400, NO_CHUNKS)], ids=["head", "chunks"]
)
def test_who_still_sends_when_refused_sends_it_all_and_reads_the_answer(code, sent):
    """It was reset, and clients that read no more after a failure to send had no answer."""
    with running(ToyModel(), preset="paper") as url:
        for _ in range(5):
            with connect(url) as connection:
                connection.sendall(sent)
                assert status(connection) == b"%d" % code


def test_one_too_many_that_sends_its_request_late_is_not_reset():
    opened = running(ToyModel(), max_connections=1, preset="paper", body_seconds=60)
    with opened as url, connect(url) as first:
        first.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        with connect(url) as late:
            select.select([late], [], [])
            for part in (WHOLE[:50], WHOLE[50:60], WHOLE[60:]):
                late.sendall(part)
                time.sleep(0.1)
            assert status(late) == b"503"


@pytest.mark.parametrize(
    "sent",
    [
        b"no request\r\n\r\n",
        b"GET /" + b"a" * 100_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n9c40\r\n" + b" " * 40_000 + b"\r\nzz\r\n",
    ],
    ids=["garbage", "head", "chunks"],
)
def test_who_is_refused_and_gone_leaves_no_connection_and_no_traceback(caplog, sent):
    """It was reset when its answer was written, and stayed until the time of a body was over."""
    with serving(ToyModel()) as (url, server):
        for _ in range(20):
            with connect(url) as connection:
                connection.sendall(sent)
        assert eventually(lambda: not server.server_state.connections, 5)
    assert "Exception" not in caplog.text
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_who_was_refused_and_stays_is_closed_a_moment_later():
    with running(ToyModel()) as url, connect(url) as connection:
        connection.sendall(b"no request\r\n\r\n")
        assert status(connection) == b"400"
        time.sleep(1.5)
        connection.sendall(b"more")
        time.sleep(0.2)
        with pytest.raises(BrokenPipeError):
            connection.sendall(b"more")


def test_each_connection_that_is_closed_for_another_is_counted_and_all_are_one_line(caplog):
    """Neither the log nor the metrics had any of them."""
    with serving(ToyModel(), max_connections=3) as (url, server):
        waiting = [connect(url) for _ in range(3)]
        waiting[1].sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        assert eventually(lambda: len(server.server_state.connections) == 3)
        time.sleep(1.5)
        others = [connect(url) for _ in range(3)]
        for connection in others:
            connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert all(is_closed(connection) for connection in waiting)
        for connection in waiting + others:
            connection.close()
        assert eventually(lambda: not server.server_state.connections)
        assert 'code="too_many_connections"} 3.0' in metrics(url)
    told = [record for record in caplog.records if record.name == "service.http.crowd"]
    assert len(told) == 1
    assert "3 connections are held at once" in told[0].getMessage()


def test_the_log_line_of_connections_too_many_says_how_many_there_were(caplog):
    now = 0.0
    crowd = Crowd(1, lambda: now)
    assert crowd.let_in(object())
    assert not any(crowd.let_in(object()) for _ in range(50))
    now = SILENCE_SECONDS
    assert not crowd.let_in(object())
    found = [message.partition("line: ")[2].partition(";")[0] for message in caplog.messages]
    assert found == ["1", "50"]


def status(connection):
    answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return answer.split(b" ")[1]


def in_parts(content):
    yield content


@pytest.mark.parametrize("sent", [bytes, in_parts], ids=["announced", "chunked"])
def test_bodies_have_bounds_together_and_small_ones_are_let_in_beside_large_ones(sent):
    model = FaultyModel()
    opened = running(model, max_bodies_bytes=150_000, preset="paper")
    with opened as url, ThreadPoolExecutor(2) as pool:

        def post(content):
            return httpx.post(f"{url}/v1/similarity", content=sent(content), headers=JSON)

        model.free.clear()
        first = pool.submit(post, LARGE)
        assert eventually(lambda: "trajsim_active_requests 1.0" in metrics(url))
        busy = post(LARGE)
        assert busy.status_code == 429, busy.text
        assert busy.headers["retry-after"] == "1"
        assert "150000" in busy.json()["error"]["message"]
        small = pool.submit(post, SMALL)
        assert eventually(lambda: "trajsim_active_requests 2.0" in metrics(url))
        model.free.set()
        assert first.result(20).status_code == small.result(20).status_code == 200
        # Its room is free again, and what was refused has left no trace.
        assert [post(LARGE).status_code for _ in range(3)] == [200, 200, 200]


def metrics(url):
    return httpx.get(f"{url}/metrics").text


def test_a_body_alone_may_have_more_than_all_together():
    with running(ToyModel(), max_bodies_bytes=80_000, preset="paper") as url:
        answer = httpx.post(f"{url}/v1/similarity", content=LARGE, headers=JSON)
    assert answer.status_code == 200


def test_of_bodies_that_arrive_together_one_that_is_refused_makes_room_at_once():
    """Else each is refused for the beginnings of all others, and none is let in."""
    bodies = Room(200_000, "the bodies are", "TRAJSIM_MAX_BODIES_BYTES")

    async def run():
        first, second = (arriving(bodies) for _ in range(2))
        for body, size in [(first, 70_000), (second, 70_000), (first, 60_000)]:
            assert len((await body(size))["body"]) == size
        with pytest.raises(BusyError):
            await second(10_000)
        assert len((await first(70_000))["body"]) == 70_000

    asyncio.run(run())


def arriving(bodies):
    """Return what has so many bytes more of a body arrive."""
    sizes = []

    async def receive():
        return {"type": "http.request", "body": b"x" * sizes[-1], "more_body": True}

    headers = Headers({"transfer-encoding": "chunked"})
    body = Body(receive, headers, max_bytes=2**20, seconds=10, bodies=bodies)

    async def arrive(size):
        sizes.append(size)
        return await body.receive()

    return arrive


def test_bodies_that_give_each_other_up_are_refused_as_such_and_some_are_let_in(monkeypatch):
    """One whose room was taken as its next part came was answered a plain 500."""
    monkeypatch.setattr("service.http.body.SLOW_SECONDS", 0.2)
    body = b"{" + b" " * 400_000
    with running(ToyModel(), max_bodies_bytes=1_700_000) as url:
        together = Barrier(16)

        def ask(_):
            with connect(url) as connection:
                head = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
                connection.sendall(HEAD + head + body[:100_000])
                time.sleep(0.5)
                together.wait()
                connection.sendall(body[100_000:])
                return b"".join(iter(lambda: connection.recv(65536), b"")).split(b" ")[1]

        with ThreadPoolExecutor(16) as pool:
            codes = [code for _ in range(5) for code in pool.map(ask, range(16))]
    # Those that are let in are no JSON.
    assert set(codes) == {b"400", b"429"}
    assert codes.count(b"400") >= 5


def test_bodies_that_never_end_keep_others_out_no_longer_than_a_moment(monkeypatch):
    """A few senders held all the room for the time that a body has, again and again."""
    monkeypatch.setattr("service.http.body.SLOW_SECONDS", 1_000)
    opened = running(ToyModel(), max_bodies_bytes=150_000, preset="paper", body_seconds=60)
    with opened as url, connect(url) as slow:
        slow.sendall(HEAD + b"Content-Length: 200000\r\n\r\n" + b" " * 140_000)

        def ask():
            answer = httpx.post(f"{url}/v1/similarity", content=LARGE, headers=JSON)
            return answer.status_code == 200

        assert eventually(lambda: not ask())
        monkeypatch.setattr("service.http.body.SLOW_SECONDS", 0)
        assert eventually(ask)
        # It gets the reason, once it has sent the rest.
        slow.sendall(b" " * 60_000)
        assert slow.recv(65536).startswith(b"HTTP/1.1 429")
        assert ask()
