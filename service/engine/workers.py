"""Threads for synchronous work that may be left behind: they never keep the process alive."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import anyio

from service.engine.exceptions import NoResourcesError
from similarity.lacking import is_out_of_memory, is_out_of_threads

Result = TypeVar("Result")


def start_in_thread(function: Callable[[], Result], name: str) -> "asyncio.Future[Result]":
    """Run a function in a thread of its own; return the future of its result.

    A future that is cancelled or failed before leaves the thread: what it still returns or raises
    is dropped. The thread is a daemon, so that the process need not wait for it to end.

    Raises
    ------
    NoResourcesError
        If the system has no thread left, and from the future if there was no memory left.
    """
    future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    try:
        threading.Thread(target=_work, args=(function, future), name=name, daemon=True).start()
    except RuntimeError as error:
        raise NoResourcesError from error
    return future


def _work(function: Callable[[], Result], future: "asyncio.Future[Result]") -> None:
    loop = future.get_loop()
    try:
        result = function()
    except BaseException as error:  # raised again where the result is awaited
        failure = NoResourcesError() if is_out_of_resources(error) else error
        _call_in(loop, partial(fail, future, failure))
        # What an error passed through is kept with it, this too, and the future keeps the error.
        # That reference cycle, with a request's whole body, would stay until it is collected.
        del failure, future
    else:
        _call_in(loop, partial(_fulfil, future, result))


async def run_in_turn(
    function: Callable[[], Result], name: str, limiter: anyio.CapacityLimiter
) -> Result:
    """Return the result of a function run in a thread of its own, once there are few others.

    It counts until it has ended, also where nobody waits for it any more: else clients that leave
    at once could have any number running. The thread ends with it: one kept for later would hold
    room of a limit of threads, and only some of the work could use it.

    Raises
    ------
    NoResourcesError
        If the system has no thread or memory left.
    """
    turn = object()
    await limiter.acquire_on_behalf_of(turn)
    try:
        running = start_in_thread(function, name)
    except NoResourcesError:
        limiter.release_on_behalf_of(turn)
        raise
    running.add_done_callback(lambda _: limiter.release_on_behalf_of(turn))
    try:
        return await asyncio.shield(running)
    finally:
        del running  # which keeps an error, and the error this: see `_work`


def is_out_of_resources(error: BaseException) -> bool:
    """Return whether an error says that the process had no memory or no thread left."""
    return is_out_of_threads(error) or is_out_of_memory(error)


def fail(future: "asyncio.Future[Result]", error: BaseException) -> None:
    """Fail a future that is not done."""
    if not future.done():
        future.set_exception(error)


def _fulfil(future: "asyncio.Future[Result]", result: Result) -> None:
    if not future.done():
        future.set_result(result)


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    # The loop has ended where nobody waits any more.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function)
