"""Threads for synchronous work that may be left behind: they never keep the process alive."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from service.engine.exceptions import NoResourcesError
from similarity.models.memory import is_out_of_memory

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
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def work() -> None:
        try:
            result = function()
        except BaseException as error:  # raised again where the result is awaited
            failure = NoResourcesError() if is_out_of_memory(error) else error
            _call_in(loop, partial(fail, future, failure))
        else:
            _call_in(loop, partial(_fulfil, future, result))

    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError as error:
        raise NoResourcesError from error
    return future


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
