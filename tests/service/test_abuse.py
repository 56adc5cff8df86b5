"""All kinds of abuse at once, beside clients that behave: answers stay right, memory stays."""

import asyncio
import json
import random
import socket
import time
from collections import Counter
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from similarity import load_model
from similarity.models.loader import EMBEDDED_PATH
from tests.service.servers import ServeProcess
from tests.service.test_soak import expected_distances, hammer

SETTINGS = {"n_trajectories": 5, "max_tokens": 8}
TEXTS = [f"text number {i} about {word}" for i, word in enumerate("abcdefghijkl")]
HEAD = b"POST /v1/similarity HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

# Small requests whose answers would be huge, and what is no request at all.
REFUSED = (
    ("/v1/embeddings", {"input": ["a"] * 20_000}),
    ("/v1/similarity", {"rows": ["a b"] * 3_000}),
    ("/v1/similarity", {"rows": ["a b"] * 400, "explain": True, "preset": "paper"}),
    ("/v1/similarity", {"pairs": [["a", "b"]] * 20_000}),
    ("/v1/trajectories", {"texts": ["a"] * 500, "n_trajectories": 100, "max_tokens": 128}),
    ("/rerank", {"query": "a", "documents": ["b"] * 20_000}),
)
# Large answers that are allowed: of repeated texts.
LARGE = (
    ("/v1/similarity", {"rows": ["a b", "c d"] * 200, **SETTINGS}),
    ("/v1/similarity", {"rows": ["a b", "c d"] * 20, "explain": True, **SETTINGS}),
)


class Abuse:
    """Abuses a service until a time; keeps what came back, and how long /health/live took."""

    def __init__(self, url: str, seconds: float) -> None:
        self.url = url
        self.end = time.monotonic() + seconds
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=300) as http:
            await asyncio.gather(
                self.watch(http),
                *(self.ask_for_too_much(http) for _ in range(2)),
                *(self.leave(http) for _ in range(4)),
                *(self.never_read() for _ in range(5)),
                *(self.send_slowly() for _ in range(5)),
            )

    @property
    def going(self) -> bool:
        return time.monotonic() < self.end

    async def watch(self, http: httpx.AsyncClient) -> None:
        while self.going:
            began = time.monotonic()
            answer = await http.get("/health/live")
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.statuses[answer.status_code] += 1
            await asyncio.sleep(0.05)

    async def ask_for_too_much(self, http: httpx.AsyncClient) -> None:
        while self.going:
            for path, body in REFUSED:
                answer = await http.post(path, json=body)
                self.statuses[answer.status_code] += 1
                assert answer.status_code in {413, 422, 429, 503}, answer.text
            answer = await http.post("/v1/similarity", content=b"[" * 300_000)
            self.statuses[answer.status_code] += 1
            await asyncio.sleep(0.2)

    async def leave(self, http: httpx.AsyncClient) -> None:
        while self.going:
            path, body = random.choice(LARGE)
            try:
                await asyncio.wait_for(http.post(path, json=body), random.uniform(0.01, 1))
            except (TimeoutError, httpx.HTTPError):
                self.statuses[499] += 1

    async def never_read(self) -> None:
        content = json.dumps(LARGE[0][1]).encode()
        while self.going:
            connection = self.connect()
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)
            await asyncio.sleep(5)
            connection.close()

    async def send_slowly(self) -> None:
        while self.going:
            connection = self.connect()
            connection.sendall(HEAD[: random.randint(1, len(HEAD))])
            await asyncio.sleep(3)
            connection.close()

    def connect(self) -> socket.socket:
        parts = urlsplit(self.url)
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((parts.hostname, parts.port))
        return connection


@pytest.mark.slow
@pytest.mark.skipif(not EMBEDDED_PATH.is_dir(), reason="needs the embedded model")
def test_two_hundred_clients_beside_all_kinds_of_abuse() -> None:
    expected = expected_distances(load_model("embedded"), TEXTS, SETTINGS)
    options = ("--max-active", "64", "--max-queued", "64", "--write-seconds", "2")
    with ServeProcess("--model", "embedded", "--log-level", "error", *options) as serve:
        process = psutil.Process(serve.process.pid)

        def strain(seconds: float) -> tuple[Counter[int], list[object], Abuse]:
            abuse = Abuse(serve.url, seconds)
            found = asyncio.run(hammer(serve.url, 200, seconds, expected, SETTINGS, abuse.run()))
            return *found, abuse

        strain(20)
        warm = process.memory_info().rss
        statuses, wrong, abuse = strain(60)
        end = process.memory_info().rss
        print(
            f"\n{dict(statuses)}; abuse {dict(abuse.statuses)}; /health/live {abuse.slowest:.3f} s "
            f"at most; memory {warm / 2**20:.0f} MiB warm, {end / 2**20:.0f} at the end"
        )
        code, errors = serve.stop()
    assert code == 0, errors
    assert "Traceback" not in errors
    assert wrong == []
    assert set(statuses) <= {200, 429, 503, 504}
    assert {status for status in abuse.statuses if status >= 500} <= {503, 504}
    assert end < 1.1 * warm
