"""Threads that can be left behind."""

import asyncio
import threading

import pytest

from service.engine.exceptions import NoResourcesError
from service.engine.workers import fail, start_in_thread


def test_results_and_errors_come_back():
    async def main():
        assert await start_in_thread(lambda: 7, "request") == 7
        with pytest.raises(KeyError, match="inside"):
            await start_in_thread(lambda: {}["inside"], "request")

    asyncio.run(main())


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
