"""All kinds of abuse at once, beside clients that behave: answers stay right, memory stays."""

import asyncio
import json
import random
import socket
import time
from collections import Counter
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from similarity import load_model
from similarity.models.loader import EMBEDDED_PATH
from tests.service.servers import ServeProcess
from tests.service.test_soak import expected_distances, hammer
from tests.service.watching import Watched, watching

SETTINGS = {"n_trajectories": 5, "max_tokens": 8}
TEXTS = [f"text number {i} about {word}" for i, word in enumerate("abcdefghijkl")]
HEAD = b"POST /v1/similarity HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

# Small requests whose answers would be huge, and what is no request at all.
REFUSED = (
    ("/v1/embeddings", {"input": ["a"] * 20_000}),
    ("/v1/similarity", {"rows": ["a b"] * 3_000}),
    ("/v1/similarity", {"rows": ["a b"] * 400, "explain": True, "preset": "paper"}),
    ("/v1/similarity", {"pairs": [["a", "b"]] * 20_000}),
    ("/v1/trajectories", {"texts": ["a"] * 500, "n_trajectories": 100, "max_tokens": 128}),
    ("/rerank", {"query": "a", "documents": ["b"] * 20_000}),
    ("/v1/similarity", {f"field {i}": 1 for i in range(20_000)}),
)
# What is no request of HTTP, or none that may be answered; each on a connection of its own.
NONSENSE = (
    HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    HEAD + b"Content-Length: 4\r\n\r\n{\xff\xfe}",
    HEAD + b"Content-Length: 300000\r\n\r\n" + b"[" * 300_000,
    b"GET /v1/models/x/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET /static/%2e%2e/app.py HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ***\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\n" + b"X-Y: z\r\n" * 30_000 + b"\r\n",
    b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"x" * 100 + b"\r\n\r\n",
)
# Costs minutes: whoever asks for it leaves after a while.
HEAVY = (
    {"rows": [f"row {i} of a matrix" for i in range(40)], "preset": "paper"},
    {
        "source": "a source",
        "targets": [f"target {i}" for i in range(8)],
        "n_trajectories": 100,
        "max_tokens": 128,
    },
)
# Large answers that are allowed: of repeated texts.
LARGE = (
    ("/v1/similarity", {"rows": ["a b", "c d"] * 200, **SETTINGS}),
    ("/v1/similarity", {"rows": ["a b", "c d"] * 20, "explain": True, **SETTINGS}),
)


class Abuse:
    """Abuses a service until a time; keeps the statuses that came back."""

    def __init__(self, url: str, seconds: float) -> None:
        self.url = url
        self.end = time.monotonic() + seconds
        self.statuses: Counter[int] = Counter()

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=300) as http:
            await asyncio.gather(
                self.open_and_wait(),
                *(self.talk_nonsense() for _ in range(2)),
                *(self.be_heavy(http) for _ in range(2)),
                *(self.ask_for_too_much(http) for _ in range(2)),
                *(self.leave(http) for _ in range(4)),
                *(self.never_read() for _ in range(5)),
                *(self.send_slowly() for _ in range(5)),
            )

    @property
    def going(self) -> bool:
        return time.monotonic() < self.end

    async def open_and_wait(self) -> None:
        waiting = [self.connect() for _ in range(300)]
        while self.going:
            await asyncio.sleep(0.5)
        for connection in waiting:
            connection.close()

    async def talk_nonsense(self) -> None:
        parts = urlsplit(self.url)
        while self.going:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(random.choice(NONSENSE))
            # The service may have closed the connection before all was sent.
            with suppress(ConnectionError):
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 60)
                status = int(answer.split()[1])
                self.statuses[status] += 1
                assert 400 <= status < 500, answer
            writer.close()
            await asyncio.sleep(0.1)

    async def be_heavy(self, http: httpx.AsyncClient) -> None:
        while self.going:
            try:
                body = {**random.choice(HEAVY), "seed": random.randrange(1_000)}
                answer = await asyncio.wait_for(http.post("/v1/similarity", json=body), 10)
                self.statuses[answer.status_code] += 1
            except TimeoutError:
                self.statuses[499] += 1
            await asyncio.sleep(0.1)

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

        def strain(seconds: float) -> tuple[Counter[int], list[object], Abuse, Watched]:
            abuse = Abuse(serve.url, seconds)
            with watching(f"{serve.url}/health/live") as watched:
                found = asyncio.run(
                    hammer(serve.url, 200, seconds, expected, SETTINGS, abuse.run())
                )
            return *found, abuse, watched

        strain(20)
        warm = process.memory_info().rss
        statuses, wrong, abuse, watched = strain(60)
        end = process.memory_info().rss
        print(
            f"\n{dict(statuses)}; abuse {dict(abuse.statuses)}; /health/live "
            f"{watched.percentile(0.99):.3f} s at the 99th percentile, {max(watched):.3f} at most; "
            f"memory {warm / 2**20:.0f} MiB warm, {end / 2**20:.0f} at the end"
        )
        code, errors = serve.stop()
    assert code == 0, errors
    assert "Traceback" not in errors
    assert wrong == []
    assert set(statuses) <= {200, 429, 503, 504}
    assert {status for status in abuse.statuses if status >= 500} <= {503, 504}
    assert end < 1.1 * warm
