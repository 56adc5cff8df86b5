"""Hostile connections, byte by byte: refused cheaply, and the service lives on."""

import base64
import math
import resource
import socket
import struct
import time
from urllib.parse import urlsplit

import httpx
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.http.connection import READ_BYTES
from similarity.models.toy import ToyModel
from tests.service.models import FaultyModel
from tests.service.servers import eventually, running, serving, stand_still

pytestmark = pytest.mark.longer

HEAD = b"POST /v1/similarity HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def url():
    with running(ToyModel(), body_seconds=1.0) as address:
        yield address
        assert httpx.get(f"{address}/health/live").status_code == 200


def connect(url):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def answer_to(connection):
    """Return the first bytes that come back, or nothing if the connection is closed on us."""
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def memory():
    """Return the peak memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def send_until_refused(connection, chunk, total):
    """Send up to `total` bytes; return how many were taken before the connection broke."""
    sent = 0
    try:
        while sent < total:
            connection.sendall(chunk)
            sent += len(chunk)
    except OSError:
        pass
    return sent


def test_ten_gigabytes_that_are_announced_are_refused_unread(url):
    with connect(url) as connection:
        connection.sendall(HEAD + b"Content-Length: 10000000000\r\n\r\n")
        connection.sendall(b"[" * 1000)
        assert b" 413 " in answer_to(connection)


def test_ten_gigabytes_that_are_not_announced_are_refused_early(url):
    before = memory()
    with connect(url) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        assert send_until_refused(connection, chunk, 10 * 2**30) < 2**27
    assert memory() - before < 200 * 2**20


def test_a_hundred_megabytes_of_nested_json(url):
    with connect(url) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000000\r\n\r\n")
        assert send_until_refused(connection, b"[" * 2**20, 100 * 2**20) < 2**27
    nested = httpx.post(
        f"{url}/v1/similarity",
        content=b"[" * (4 * 2**20),
        headers={"content-type": "application/json"},
    )
    assert nested.status_code in {400, 413}


@pytest.mark.parametrize("size", [5 * 2**20, 20 * 2**20])
def test_the_sender_of_a_body_somewhat_too_large_gets_to_read_why(url, size):
    answer = httpx.post(f"{url}/v1/similarity", content=b" " * size)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD + b"Content-Length: 20000000\r\n", b"413"),
        (HEAD.replace(b"/v1/similarity", b"/none") + b"Content-Length: 100\r\n", b"404"),
    ],
    ids=["too large", "no such route"],
)
@pytest.mark.parametrize("begun", [b"", b'{"pairs"'], ids=["not begun", "begun"])
def test_a_body_that_will_be_refused_is_not_asked_for(url, head, status, begun):
    """It was answered 100 first, so that the sender sent all of it for nothing."""
    with connect(url) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\n\r\n" + begun)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close" in answer.lower()


def test_a_body_that_is_wanted_is_asked_for(url):
    body = b'{"pairs": [["a", "b"]], "n_trajectories": 2, "max_tokens": 2}'
    with connect(url) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert answer_to(connection).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert answer_to(connection).startswith(b"HTTP/1.1 200 ")


def test_a_head_that_trickles_in_is_cut_off(url):
    with connect(url) as connection:
        began = time.monotonic()
        for byte in HEAD:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.05)
        assert answer_to(connection) == b""
        assert time.monotonic() - began < 15


def test_a_second_head_that_trickles_in_is_cut_off_too(url):
    with connect(url) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += answer_to(connection)
        assert b" 200 " in answer
        connection.sendall(b"GET /")
        connection.settimeout(15)
        assert answer_to(connection) == b""


def test_silent_connections_are_cut_off(url):
    with connect(url) as connection:
        assert answer_to(connection) == b""


def test_a_body_that_trickles_in_is_answered_408(url):
    with connect(url) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        assert b" 408 " in answer_to(connection)


@pytest.mark.parametrize("size", [60, 1_000_000], ids=["at once", "in parts"])
@pytest.mark.parametrize("sent", [0, 30], ids=["unread", "begun"])
def test_a_body_that_came_while_the_process_stood_still_is_read(size, sent):
    """It was refused as too slow, though all of it had come within the time."""
    body = b'{"pairs": [["a", "b"]]}'
    body += b" " * (size - len(body))
    with serving(ToyModel(), body_seconds=1) as (url, server), connect(url) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % size + body[:sent])
        assert eventually(lambda: server.server_state.tasks)
        time.sleep(0.3)
        stand_still(server, 2.5)
        connection.sendall(body[sent:])
        assert b" 200 " in answer_to(connection)


@pytest.mark.parametrize("known", [False, True], ids=["first", "after another"])
@pytest.mark.parametrize("length", [10, 40_000], ids=["at once", "in parts"])
def test_a_head_that_came_while_the_process_stood_still_is_read(monkeypatch, known, length):
    monkeypatch.setattr("service.http.server.IDLE_SECONDS", 1)
    head = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Long: %s\r\n\r\n" % (b"x" * length)
    with serving(ToyModel(), body_seconds=1) as (url, server), connect(url) as connection:
        if known:
            connection.sendall(head)
            while not answer_to(connection).endswith(b"}"):
                pass
        assert eventually(lambda: server.server_state.connections)
        time.sleep(0.3)
        stand_still(server, 2.5)
        connection.sendall(head)
        assert b" 200 " in answer_to(connection)


def test_a_body_that_does_not_come_is_refused_after_a_standstill_too():
    with serving(ToyModel(), body_seconds=1) as (url, server), connect(url) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        assert eventually(lambda: server.server_state.tasks)
        stand_still(server, 2)
        assert b" 408 " in answer_to(connection)


def test_many_slow_connections_do_not_keep_others_out(url):
    slow = [connect(url) for _ in range(300)]
    try:
        for connection in slow:
            connection.sendall(HEAD[:20])
        answer = httpx.post(f"{url}/v1/similarity", json={"pairs": [["a", "b"]]})
        assert answer.status_code == 200
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\0\0\0\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\0b\r\n\r\n",
        b"POST /v1/similarity HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /health/live HTTP/9.9\r\nHost: localhost\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:30]),
)
def test_what_is_no_http_gets_400(url, raw):
    with connect(url) as connection:
        connection.sendall(raw)
        assert answer_to(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "head",
    [b"GET /?" + b"x" * 70_000, b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"x" * 70_000],
    ids=["URL", "header"],
)
def test_a_long_head_is_refused_as_what_it_is(url, head):
    with connect(url) as connection:
        connection.sendall(head)
        answer = b"".join(iter(lambda: answer_to(connection), b""))
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"headers_too_large"' in answer
    assert b"65536 bytes" in answer


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /health/ready HTTP/1.1\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"x" * 70_000,
        b"no request\r\n\r\n",
    ],
    ids=["host", "length", "head", "garbage"],
)
def test_what_is_refused_before_it_is_a_request_has_its_line_and_is_counted(url, caplog, raw):
    """The id of its answer stood nowhere in the log."""
    with caplog.at_level("INFO", "service.access"), connect(url) as connection:
        connection.sendall(raw)
        answer = b"".join(iter(lambda: answer_to(connection), b""))
    lines = [one for one in caplog.records if one.name == "service.access"]
    # That of the test before may come late.
    (line,) = [one for one in lines if one.request_id.encode() in answer]
    assert answer.startswith(b"HTTP/1.1 %d " % line.status)
    assert b'"code": "%s"' % line.code.encode() in answer
    counted = httpx.get(f"{url}/metrics").text
    assert f'method="OTHER",route="other",status="{line.status}"' in counted


DAMAGED = b"Transfer-Encoding: chunked\r\nX-Request-Id: mine\r\n\r\n"


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n",
        b"1\r\nabc\r\n",
        b"1" * 70_000,
        # More than 64 bits, which h11 takes: it waited for all of it.
        b"10000000000000000\r\nabc",
        b"f" * 20 + b"\r\n",
        b"1\r\na\r\n" + b"f" * 16 + b"\r\n{}",
    ],
    ids=len,
)
@pytest.mark.parametrize(
    "head",
    [
        HEAD,
        HEAD + b"Content-Length: 5\r\n",
        HEAD.replace(b"application/json", b"text/plain"),
        HEAD.replace(b"localhost", b"elsewhere"),
        HEAD.replace(b"/v1/similarity", b"/nothing"),
        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n",
    ],
    ids=["JSON", "lengths", "type", "host", "route", "GET"],
)
@pytest.mark.parametrize("apart", [False, True])
def test_damaged_chunks_are_refused_as_such_without_a_traceback(url, caplog, head, chunks, apart):
    with caplog.at_level("DEBUG", "service.access"), connect(url) as connection:
        connection.sendall(head + DAMAGED + (b"" if apart else chunks))
        if apart:
            time.sleep(0.05)
            connection.sendall(chunks)
        answer = b"".join(iter(lambda: answer_to(connection), b""))
        assert eventually(lambda: "service.access" in [one.name for one in caplog.records])
    assert "Exception in ASGI" not in caplog.text
    assert "Fatal error" not in caplog.text
    assert answer.count(b"HTTP/1.1") == 1
    assert b"x-request-id: mine\r\n" in answer.lower()
    (line,) = [one for one in caplog.records if one.name == "service.access"]
    assert line.request_id == "mine"
    assert answer.startswith(b"HTTP/1.1 %d " % line.status)
    if b'"invalid_http"' in answer:
        assert (line.status, line.code) == (400, "invalid_http")
        assert b"the chunks of the body are damaged" in answer


def test_a_body_whose_end_can_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(url):
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    lengths = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(url) as connection:
        connection.sendall(HEAD + lengths + b"0\r\n\r\n" + smuggled)
        answer = b""
        while more := answer_to(connection):
            answer += more
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in answer.lower()
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "key", [b"\xff\xfe", b"***", b"a", base64.b64encode(b"\xff\xff"), b"\xc3\xa9" * 10]
)
def test_credentials_that_are_no_base64_are_refused_with_401(key):
    with running(ToyModel(), api_keys="right") as address, connect(address) as connection:
        connection.sendall(
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic " + key
        )
        connection.sendall(b"\r\n\r\n")
        assert answer_to(connection).startswith(b"HTTP/1.1 401 ")


def test_a_client_that_leaves_before_its_body_is_no_failure_of_the_service(url, caplog):
    with connect(url) as connection:
        connection.sendall(HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert b" 100 " in answer_to(connection)
    gone = 'trajsim_failures_total{code="client_closed_request"}'
    assert eventually(lambda: gone in httpx.get(f"{url}/metrics").text)
    assert "unforeseen" not in caplog.text


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("ahead", [0, 1_000, 20_000, 60_000, 200_000])
def test_a_client_that_leaves_is_seen_to_whatever_it_has_sent_ahead(ahead, resets):
    """What is sent ahead is not read until the first answer, and nor was the end behind it."""
    body = b'{"pairs": [["a", "b"]]}'
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    model = FaultyModel()
    model.free.clear()
    try:
        with running(model) as url:
            connection = connect(url)
            connection.sendall(request + request * math.ceil(ahead / len(request)))
            model.entered.acquire()
            if resets:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()
            idle = "trajsim_active_requests 0.0"
            assert eventually(lambda: idle in httpx.get(f"{url}/metrics").text)
            gone = 'trajsim_failures_total{code="client_closed_request"} 1.0'
            assert eventually(lambda: gone in httpx.get(f"{url}/metrics").text)
            model.free.set()
    finally:
        model.free.set()


def test_a_path_with_a_slash_too_many_does_not_send_clients_to_a_foreign_host():
    with running(ToyModel(), allowed_hosts="*") as url:
        answer = httpx.get(f"{url}/v1/models/", headers={"host": "evil.example"})
    assert answer.status_code == 404
    assert "evil.example" not in str(answer.headers) + answer.text


def test_answers_are_not_held_back_for_an_acknowledgement():
    with serving(ToyModel()) as (address, server), connect(address) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer_to(connection)
        sockets = [c.transport.get_extra_info("socket") for c in server.server_state.connections]
        delays = [s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for s in sockets]
    assert delays
    assert all(delays)


def test_a_body_of_tiny_chunks_is_read_a_little_at_a_time(monkeypatch):
    """So that it does not hold up all other connections for as long as it takes to read."""
    read = []
    plain = H11Protocol.data_received

    def count(self, data):
        read.append(len(data))
        plain(self, data)

    monkeypatch.setattr(H11Protocol, "data_received", count)
    body = b'{"pairs": [["a", "b"]]}' + b" " * 30_000
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with running(ToyModel(), preset="paper") as url:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), 30) as connection:
            connection.sendall(head + chunks)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert sum(read) == len(head + chunks)
    assert max(read) <= READ_BYTES


def test_a_client_that_reads_a_little_now_and_then_does_not_keep_an_answer_for_hours():
    body = b'{"rows": [' + b",".join([b'"a b"', b'"c d"'] * 250) + b'], "n_trajectories": 2}'
    with running(ToyModel(), deadline_seconds=2.0, write_seconds=60.0) as url:
        with connect(url) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            for _ in range(40):
                end = answer_to(connection)
                time.sleep(0.1)
            # What the system has taken already still comes.
            while part := answer_to(connection):
                end = part
        assert not end.endswith(b"0\r\n\r\n")
        assert httpx.get(f"{url}/health/live").status_code == 200


@pytest.mark.parametrize("line", [b"\r\n", b"\n", b"\r\n\r\n"], ids=["CRLF", "LF", "two"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "byte by byte"])
def test_empty_lines_before_and_between_requests_are_skipped(line, at_once):
    """Some clients end a body with one; it was answered 400, and the connection closed."""
    body = b'{"pairs": [["a", "b"]]}'
    post = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    last = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    sent = line + post + line + post + line + last
    with running(ToyModel(), preset="paper") as url, connect(url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in [sent] if at_once else [bytes([byte]) for byte in sent]:
            connection.sendall(part)
        read = b"".join(iter(lambda: connection.recv(65536), b""))
    assert read.count(b"HTTP/1.1 200") == read.count(b"HTTP/1.1") == 3
