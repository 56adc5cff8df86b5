"""Answers of model servers that are compressed, and heads that trickle in."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from similarity.answering import compression_of
from similarity.errors import BackendTimeoutError, WrongAnswerError
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.loader import Servers
from similarity.models.vllm_server.passing import PassingError
from similarity.models.vllm_server.replica import Replica
from tests.trickling import TRICKLES, trickling

KINDS = ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, deflate", "identity, zstd", "x-none"]


class Unread(httpx.AsyncByteStream):
    """What would take much memory if it were read."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_compressed_is_known(kind: str) -> None:
    assert (
        compression_of(httpx.Response(200, headers={"content-encoding": kind}, stream=Unread()))
        == kind
    )


@pytest.mark.parametrize("kind", [None, "", "identity", "Identity, identity"])
def test_what_is_not_compressed_is_known(kind: str | None) -> None:
    headers = {} if kind is None else {"content-encoding": kind}
    assert compression_of(httpx.Response(200, headers=headers)) is None


def asked(url: str, client: httpx.AsyncClient, *calls: Callable[[Replica], Awaitable[Any]]) -> None:
    async def run() -> None:
        async with client:
            replica = Replica(url, client)
            for call in calls:
                await call(replica)

    asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [200, 400, 503])
def test_a_compressed_answer_of_a_server_is_refused_unread(kind: str, status: int) -> None:
    """A zstd answer of 60 KB took gigabytes before its size was looked at."""
    answer = httpx.Response(status, headers={"content-encoding": kind}, stream=Unread())
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer))
    with pytest.raises(WrongAnswerError, match=f"http://a answered HTTP {status} compressed by"):
        asked("http://a", client, lambda replica: replica.request("/v1/completions", str, {}))


def test_no_server_is_asked_to_compress() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["accept-encoding"])
        return httpx.Response(404)

    servers = Servers("http://a", ServerConfig(patience=0.1), transport=httpx.MockTransport(answer))
    assert list(servers.checks())
    servers.close()
    assert set(seen) == {"identity"}


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("what", TRICKLES)
def test_an_answer_that_trickles_in_from_its_head_on_is_late(what: str, *, proxied: bool) -> None:
    """The limit held for the body alone, and for each read of the head."""
    with trickling(what) as address:
        url = "http://elsewhere.test" if proxied else f"http://{address}"
        transport = httpx.AsyncHTTPTransport(proxy=f"http://{address}" if proxied else None)
        client = httpx.AsyncClient(timeout=0.3, transport=transport)
        began = time.monotonic()
        with pytest.raises(PassingError) as raised:
            asked(url, client, lambda replica: replica.request("/v1/completions", str, {}))
        assert time.monotonic() - began < 3
    assert raised.value.slow
    assert isinstance(raised.value.error, BackendTimeoutError)
    assert "gave no answer within 0.3 s; raise TRAJSIM_VLLM_READ_TIMEOUT" in str(raised.value.error)


def test_a_health_that_trickles_in_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("similarity.models.vllm_server.replica.HEALTH_TIMEOUT", 0.2)
    with trickling("header") as address:
        client = httpx.AsyncClient(timeout=0.3)
        with pytest.raises(PassingError, match="to /health within"):
            asked(f"http://{address}", client, Replica.check_healthy)


def test_an_answer_that_comes_late_and_in_time_is_read() -> None:
    """The time is of the whole answer: its first byte may come at any time of it."""

    async def slow(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.2)
        return httpx.Response(200, json=[])

    client = httpx.AsyncClient(timeout=5, transport=httpx.MockTransport(slow))
    asked("http://a", client, lambda replica: replica.request("/v1/completions", str, {}))
