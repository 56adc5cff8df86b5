"""Threads that can be left behind."""

import asyncio
import threading

import pytest

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
