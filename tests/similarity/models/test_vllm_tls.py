"""Model servers that speak TLS: what a failure of it is put down to, and what helps.

The certificates all have one key. `well` and `expired` are for localhost, and `other` is for
another name. None is signed by anybody else.
"""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from similarity.errors import BackendError, BackendRefusedError, BackendUnavailableError
from similarity.models.vllm_server.loader import load_server
from tests.similarity.models.fake_server import QUICK, raises

CERTIFICATES = Path(__file__).parent / "certificates"


class Handler(BaseHTTPRequestHandler):
    """Has nothing."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that break off."""


@contextmanager
def serving(certificate: str | None) -> Iterator[str]:
    """Serve by TLS with a certificate, or without TLS; give host and port."""
    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def trust(monkeypatch: pytest.MonkeyPatch, certificate: str | None) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if certificate is not None:
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / f"{certificate}.pem"))


@pytest.mark.parametrize(
    ("certificate", "trusted", "scheme", "cause", "remedy"),
    [
        ("well", None, "https", "self-signed certificate", "PEM file in SSL_CERT_FILE"),
        ("well", "other", "https", "self-signed certificate", "PEM file in SSL_CERT_FILE"),
        ("other", "other", "https", "not valid for 'localhost'", "give the name that it is for"),
        ("expired", "expired", "https", "certificate has expired", "renew it at the server"),
        (None, None, "https", "could not be spoken to by TLS", "give http:// if it speaks plain"),
        ("well", "well", "http", "does not answer", "with https:// if it speaks TLS"),
    ],
)
def test_what_tls_fails_of_is_told_with_what_helps(
    monkeypatch: pytest.MonkeyPatch,
    certificate: str | None,
    trusted: str | None,
    scheme: str,
    cause: str,
    remedy: str,
) -> None:
    """All were told to start the server, which ran, or to give another address."""
    trust(monkeypatch, trusted)
    with serving(certificate) as place, pytest.raises(BackendUnavailableError) as caught:
        load_server(f"{scheme}://{place}", QUICK)
    said = str(caught.value)
    assert f"{scheme}://{place}" in said
    assert cause in said
    assert remedy in said
    assert ("start it" in said) == (scheme == "http")


def test_a_certificate_that_is_named_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    trust(monkeypatch, "well")
    with serving("well") as place, pytest.raises(BackendRefusedError, match="HTTP 404"):
        load_server(f"https://{place}", QUICK)


@pytest.mark.parametrize("error", [httpx.RemoteProtocolError, httpx.ReadError])
def test_a_server_of_tls_may_end_the_connection_in_either_way(
    error: type[httpx.TransportError],
) -> None:
    """Of a connection that was reset, https:// was not named."""
    ending = httpx.MockTransport(raises(error))
    with pytest.raises(BackendUnavailableError, match="with https:// if it speaks TLS"):
        load_server("http://one:8000", QUICK, transport=ending)


@pytest.mark.parametrize(("scheme", "hints"), [("https", True), ("http", False)])
def test_a_server_without_tls_may_wait_for_more_than_a_greeting(scheme: str, hints: bool) -> None:
    """Nothing was said of http://, though the address was right."""
    silent = httpx.MockTransport(raises(httpx.ConnectTimeout))
    with pytest.raises(BackendError) as raised:
        load_server(f"{scheme}://one:8000", QUICK, transport=silent)
    assert ("(http:// if it has no TLS)" in str(raised.value)) == hints
