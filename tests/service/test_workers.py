"""Threads that can be left behind."""

import asyncio
import gc
import json
import threading
import time
import weakref
from collections import Counter
from contextlib import suppress
from types import FrameType

import anyio
import httpx
import pytest
from fastapi.testclient import TestClient

from service.engine.exceptions import NoResourcesError
from service.engine.workers import fail, run_in_turn, start_in_thread
from service.http.app import create_app
from service.settings import Settings
from similarity.models.toy import ToyModel
from tests.service.servers import eventually, running


def test_results_and_errors_come_back():
    async def main():
        assert await start_in_thread(lambda: 7, "request") == 7
        with pytest.raises(KeyError, match="inside"):
            await start_in_thread(lambda: {}["inside"], "request")

    asyncio.run(main())


class Held:
    """What a function had when it failed."""


def test_what_a_function_had_when_it_failed_is_given_up_at_once(no_collector):
    left = []

    def failing():
        held = Held()
        left.append(weakref.ref(held))
        raise KeyError("inside")

    async def main():
        for attempt in (
            lambda: start_in_thread(failing, "request"),
            lambda: run_in_turn(failing, "request", anyio.CapacityLimiter(1)),
        ):
            with suppress(KeyError):
                await attempt()
        # The threads may still be about to end.
        await asyncio.to_thread(eventually, lambda: not any(held() for held in left))

    asyncio.run(main())
    assert len(left) == 2


@pytest.mark.longer
@pytest.mark.parametrize(
    ("path", "body"),
    {
        "JSON cut short": ("/v1/similarity", b'{"rows": ["' + b"a" * 2**17),
        "many fields": ("/v1/similarity", json.dumps(dict.fromkeys(map(str, range(20_000)), 1))),
        "wrong fields": ("/rerank", json.dumps({"query": "a", "documents": [{"a": 1}] * 9_999})),
        "long texts": ("/v1/similarity", json.dumps({"rows": ["a " * 2**17, "b"]})),
        "no such token": ("/v1/likelihoods", json.dumps({"texts": ["a"], "continuations": [[-1]]})),
    }.values(),
    ids=lambda value: value if isinstance(value, str) and value.startswith("/") else "",
)
def test_nothing_of_a_refused_request_waits_for_the_collector(path, body, no_collector):
    with running(ToyModel()) as url, httpx.Client() as client:
        for _ in range(2):
            answer = client.post(
                f"{url}{path}", content=body, headers={"content-type": "application/json"}
            )
            assert 400 <= answer.status_code < 500, answer.text
        found = no_collector()
    assert not [frame for frame in found if "/service/" in frame or "/similarity/" in frame]


@pytest.fixture
def no_collector():
    """Turn off garbage collection; give what finds the functions in reference cycles."""

    def left() -> list[str]:
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            frames = [one.f_code for one in gc.garbage if isinstance(one, FrameType)]
            return [f"{code.co_filename}:{code.co_name}" for code in frames]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()

    gc.collect()
    gc.disable()
    yield left
    gc.enable()


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_a_thread_that_is_left_keeps_nobody_waiting(how):
    free = threading.Event()

    async def main():
        future = start_in_thread(free.wait, "left behind")
        if how == "cancelled":
            future.cancel()
            with pytest.raises(asyncio.CancelledError):
                await future
        else:
            fail(future, KeyError("given up"))
            with pytest.raises(KeyError, match="given up"):
                await future

    asyncio.run(main())
    (left,) = [t for t in threading.enumerate() if t.name == "left behind"]
    assert left.daemon
    free.set()
    left.join(10)
    assert not left.is_alive()


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")]
)
def test_a_system_without_threads_or_memory_is_reported_as_such(monkeypatch, error):
    def greedy():
        raise error

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    async def main():
        with pytest.raises(NoResourcesError):
            await start_in_thread(greedy, "request")
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(NoResourcesError):
            start_in_thread(greedy, "request")

    asyncio.run(main())


def test_a_request_that_there_is_no_memory_for_is_answered_503(client, monkeypatch):
    def greedy(*_args):
        raise MemoryError

    monkeypatch.setattr("service.http.routes.tokens._decoded", greedy)
    answer = client.post("/decode", json={"ids": [1]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_resources")
    assert answer.headers["retry-after"] == "1"


@pytest.fixture
def few_threads(monkeypatch):
    """Return a function after which only so many threads that start run at once."""
    begin = threading.Thread.start

    def allow(most):
        started = []

        def start(thread):
            started[:] = [one for one in started if one.is_alive()]
            if len(started) >= most:
                raise RuntimeError("can't start new thread")
            begin(thread)
            started.append(thread)

        monkeypatch.setattr(threading.Thread, "start", start)

    return allow


PAIR = {"pairs": [["A dog runs.", "A puppy runs."]], "n_trajectories": 2, "max_tokens": 2}


class Slow(ToyModel):
    def sample(self, *args, **options):
        time.sleep(0.2)
        return super().sample(*args, **options)


def test_where_threads_run_out_requests_are_answered_503_and_the_next_ones_as_usual(
    few_threads, caplog
):
    with running(Slow(), preset="paper", max_active=20, probe_seconds=0.1) as url:
        few_threads(2)
        codes = Counter(asyncio.run(answers_at_once(url, 30)))
        assert set(codes) <= {(200, None), (503, "no_resources")}
        assert codes[503, "no_resources"]
        for _ in range(3):
            assert httpx.post(f"{url}/v1/similarity", json=PAIR).status_code == 200
    assert "unforeseen" not in caplog.text


async def answers_at_once(url, count):
    """Return the status and the code of so many answers to requests sent together."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None)) as client:
        sent = [client.post(f"{url}/v1/similarity", json=PAIR) for _ in range(count)]
        answers = await asyncio.gather(*sent)
    return [(one.status_code, one.json().get("error", {}).get("code")) for one in answers]


@pytest.mark.parametrize("path", ["/", "/docs", "/static/page.js"])
def test_a_file_that_no_thread_can_be_started_for_is_answered_503(client, few_threads, path):
    few_threads(0)
    answer = client.get(path)
    assert answer.status_code == 200 or answer.json()["error"]["code"] == "no_resources"


def test_work_beside_the_model_leaves_no_idle_threads(open_client):
    client = open_client(max_items=3_000)
    before = set(threading.enumerate())
    client.post("/v1/similarity", json={"pairs": [["a" * 30, f"b {i}"] for i in range(2_500)]})
    new = [thread.name for thread in threading.enumerate() if thread not in before]
    assert "AnyIO worker thread" not in new


def test_a_probe_without_a_thread_is_no_sign_of_a_dead_model(open_client, few_threads):
    client = open_client(probe_seconds=0.05)
    assert eventually(lambda: client.get("/health/ready").status_code == 200)
    few_threads(0)
    time.sleep(0.3)
    assert client.get("/health/ready").status_code == 200
    answer = client.post("/v1/similarity", json=PAIR)
    assert answer.json()["error"]["code"] == "no_resources"


def test_the_end_needs_no_thread(monkeypatch):
    closed = []

    class Closing(ToyModel):
        def close(self):
            closed.append("closed")

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    app = create_app(Settings(preset="paper"), Closing)
    with TestClient(app) as client:
        assert client.get("/health/live").status_code == 200
        monkeypatch.setattr(threading.Thread, "start", refuse)
    assert closed == ["closed"]
