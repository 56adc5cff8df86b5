"""Many requests, some at once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

T = TypeVar("T")


async def gather(calls: Sequence[Callable[[], Awaitable[T]]], workers: int) -> list[T]:
    """Return the results of all calls, in order, some at once; the first error ends them all."""
    results: dict[int, T] = {}
    waiting = enumerate(calls)

    async def work() -> None:
        for number, call in waiting:
            results[number] = await call()

    try:
        async with anyio.create_task_group() as group:
            for _ in range(min(workers, len(calls))):
                group.start_soon(work)
    except ExceptionGroup as errors:
        raise _first(errors) from errors
    return [results[number] for number in range(len(results))]


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
