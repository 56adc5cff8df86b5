"""Model servers behind a proxy of the environment: which are, and what a failure names."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from similarity.errors import BackendRefusedError, BackendUnavailableError, ConfigError
from similarity.models.vllm_server.loader import load_server
from tests.similarity.models.fake_server import QUICK

# Of the range for documentation, in which no machine is.
AWAY = "http://192.0.2.1:8000"
CLOSED = "http://127.0.0.1:9"


class Proxy(ThreadingHTTPServer):
    """Answers every request by a status: 502, as a proxy does that reaches no server."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 502
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_error(self.server.status)

    do_CONNECT = do_GET  # noqa: N815  # the name that the class looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with Proxy() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        set_proxy(monkeypatch, f"http://me:secret@127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


def set_proxy(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", address)


def test_a_failure_names_the_proxy_that_was_asked(proxy: Proxy) -> None:
    with pytest.raises(BackendUnavailableError) as caught:
        load_server(AWAY, QUICK)
    said = str(caught.value)
    assert f"{AWAY}, asked through the proxy http://…@127.0.0.1:{proxy.server_port}" in said
    assert "NO_PROXY" in said
    assert "secret" not in said
    assert set(proxy.asked) >= {f"{AWAY}/v1/models"}


def test_a_proxy_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    set_proxy(monkeypatch, CLOSED)
    with pytest.raises(BackendUnavailableError, match=f"through the proxy {CLOSED} of the env"):
        load_server(AWAY, QUICK)


def test_no_proxy_stands_before_this_machine(proxy: Proxy) -> None:
    with pytest.raises(BackendUnavailableError, match=f"^{CLOSED} does not answer"):
        load_server(CLOSED, QUICK)
    assert proxy.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "foo://me:secret@p:1",
        "http://me:secret@p:port",
        "http://me:secret@p:65536",
        "http://me:secret@p:-1",
        "http://me:secret@:80",
    ],
)
def test_a_proxy_that_is_none(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_proxy(monkeypatch, address)
    with pytest.raises(ConfigError, match="the proxy '.*://…@p?:.*' of the environment") as caught:
        load_server(AWAY, QUICK)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("address", ["http://", "http://:80", ":80", "https://"])
def test_a_proxy_without_a_host(
    variable: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_proxy(monkeypatch, "")
    monkeypatch.setenv(variable, address)
    with pytest.raises(ConfigError, match="of the environment has no address that httpx takes"):
        load_server(AWAY, QUICK)


@pytest.mark.parametrize("server", [AWAY, AWAY.replace("http:", "https:")])
def test_a_proxy_that_wants_a_user(
    server: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of plain HTTP, the server was said to have answered so."""
    proxy.status = 407
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{proxy.server_port}")
    with pytest.raises(BackendRefusedError) as caught:
        load_server(server, QUICK)
    said = str(caught.value)
    assert said.startswith(f"{server}, asked through the proxy http://…@127.0.0.1:")
    assert "was not reached: the proxy wants a user" in said
    assert "(HTTP 407 Proxy Authentication Required)" in said
    assert "secret" not in said
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_are_none(
    content: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The message was "No such file or directory", of no file and no variable."""
    path = tmp_path / "certificates.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(ConfigError, match=f"^SSL_CERT_FILE is '{path}', which has no cert"):
        load_server(AWAY, QUICK)
