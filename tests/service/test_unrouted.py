"""Requests beside the routes: HEAD works where GET does, and every error has the one shape."""

import socket
from urllib.parse import urlsplit

import pytest

from similarity.models.toy import ToyModel
from tests.service.servers import running

OFFLINE = "/static-offline-docs/swagger-ui.css"


@pytest.fixture
def client(open_client):
    return open_client(cors_origins="https://a.example")


def error_of(answer):
    """Return the error of an answer, which must be whole."""
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["request_id"] == answer.headers["x-request-id"]
    assert {"message", "type", "param", "code"} <= error.keys()
    return error


@pytest.mark.parametrize(
    "path", ["/", "/static/page.js", "/docs", "/openapi.json", "/v1/models", "/info", "/metrics"]
)
def test_head_is_get_without_the_body(client, path):
    head, get = client.head(path), client.get(path)
    assert (head.status_code, get.status_code) == (200, 200)
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    if path != "/metrics":  # which counts these requests
        assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/", "GET, HEAD, POST"),
        ("GET", "/v1/similarity", "POST"),
        ("HEAD", "/v1/similarity", "POST"),
        ("PUT", "/docs", "GET, HEAD"),
        ("OPTIONS", "/v1/models", "GET, HEAD"),
        ("BREW", "/rerank", "POST"),
        ("POST", OFFLINE, "GET, HEAD"),
    ],
)
def test_another_method_gets_those_that_are_taken(client, method, path, allowed):
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        error = error_of(answer)
        assert error["code"] == "method_not_allowed"
        assert error["message"] == f"{path} does not take {method}; it takes {allowed}"


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/v1/similarity/", " /v1/similarity is there."),
        ("/v1/embedding", " /v1/embeddings is there."),
        ("/nope", ""),
        ("/static/pagejs", " /static/page.js is there."),
        (f"{OFFLINE}.map", ""),
    ],
)
def test_another_path_gets_where_all_are(client, path, near):
    error = error_of(client.get(path))
    assert error["code"] == "not_found"
    assert error["message"] == (
        f"there is nothing at {path}.{near} All paths are described at /docs, and for programs in "
        "/openapi.json"
    )


def test_a_path_without_end_is_not_repeated_whole(client):
    assert len(error_of(client.get("/" + "x" * 5000))["message"]) < 250


@pytest.mark.parametrize("path", ["/", OFFLINE])
@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        ("bytes=x", 400, "the header Range cannot be read; write it as bytes=0-99"),
        ("lines=1-2", 400, "the header Range cannot be read"),
        ("bytes=9-3", 400, "the header Range cannot be read"),
        ("bytes=99999999-", 416, "the header Range is outside of the file"),
    ],
)
def test_a_bad_range(client, path, given, status, message):
    answer = client.get(path, headers={"Range": given})
    assert answer.status_code == status
    error = error_of(answer)
    assert error["code"] == "invalid_range"
    assert error["message"].startswith(message)
    assert ("content-range" in answer.headers) == (status == 416)


def test_a_good_range_of_a_file(client):
    assert client.get("/static/page.js", headers={"Range": "bytes=0-9"}).status_code == 206


def test_an_origin_that_may_not_call(client):
    asked = {"Origin": "https://b.example", "Access-Control-Request-Method": "POST"}
    error = error_of(client.options("/v1/similarity", headers=asked))
    assert error["code"] == "origin_not_allowed"
    assert "https://b.example may not call this service; its setting" in error["message"]
    welcome = asked | {"Origin": "https://a.example"}
    assert client.options("/v1/similarity", headers=welcome).status_code == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://localhost{port}/health/live", 200),
        ("HTTP://localhost{port}/v1/models?x=1", 200),
        ("https://127.0.0.1/v1%2Fmodels", 200),
        ("http://localhost", 200),
        ("http://localhost?x=http://a.example/", 200),
        ("http://localhost/nope", 404),
        # The host of the target holds, whatever the header says.
        ("http://a.example/v1/models", 403),
        ("http://a.example/health/live", 200),
        ("http://localhost@a.example/v1/models", 403),
        ("http:///v1/models", 404),
        ("ftp://localhost/v1/models", 404),
    ],
)
def test_a_target_may_be_a_whole_url(target, status):
    with running(ToyModel()) as url:
        parts = urlsplit(url)
        sent = f"GET {target.format(port=f':{parts.port}')} HTTP/1.1\r\nHost: localhost\r\n"
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            connection.sendall(f"{sent}Connection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert int(answer.split()[1]) == status


def test_what_is_no_http_is_answered_in_the_same_shape():
    with running(ToyModel()) as url:
        parts = urlsplit(url)
        for sent in (
            b"\x16\x03\x01\x02\x00\x01\n\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/1.1\r\n:\r\n\r\n",
        ):
            with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
                connection.sendall(sent)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"content-type: application/json" in answer.lower()
            assert b'"code": "invalid_http"' in answer


@pytest.mark.parametrize("hosts", ["", "Host: localhost\r\nHost: localhost\r\n"])
def test_a_request_without_one_header_host_is_told_of_it(hosts):
    with running(ToyModel()) as url:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            connection.sendall(f"GET /v1/models HTTP/1.1\r\n{hosts}\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "invalid_http"' in answer
    assert b"one header Host, and this has none or several" in answer


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        ("going down", 503),
        ("no key", 401),
        ("a foreign name", 403),
        ("a foreign origin", 400),
        ("both lengths", 400),
    ],
)
@pytest.mark.parametrize("path", ["/v1/similarity", "/v1/models/toy", "/nothing"])
def test_what_is_refused_before_the_router_is_counted_by_its_route(
    open_client, caplog, refused, status, path
):
    caplog.set_level("INFO", logger="service.access")
    client = open_client(
        cors_origins="https://a.example", allowed_hosts="localhost", api_keys="a-key"
    )
    headers = {"authorization": "Bearer a-key"}
    method = "POST"
    if refused == "going down":
        client.app.state.drain.draining = True
    elif refused == "no key":
        headers = {}
    elif refused == "a foreign name":
        headers["host"] = "evil.example"
    elif refused == "a foreign origin":
        method = "OPTIONS"
        headers |= {"origin": "https://b.example", "access-control-request-method": "POST"}
    else:
        headers |= {"content-length": "2", "transfer-encoding": "chunked"}
    assert client.request(method, path, headers=headers).status_code == status
    (line,) = [one for one in caplog.records if one.name == "service.access"]
    routes = {"/v1/models/toy": "/v1/models/{name:path}", "/nothing": "other"}
    assert line.route == routes.get(path, path)
    labels = {"route": line.route, "method": method, "status": str(status)}
    registry = client.app.state.metrics.registry
    assert registry.get_sample_value("trajsim_requests_total", labels) == 1
