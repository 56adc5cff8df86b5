"""Waiting for a model elsewhere: a thread asks now and then whether anybody still wants the answer.

Calls that report their progress ask by that. This is for all others, such as a server's tokenizer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_check: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def waiting_while(check: Callable[[], None]) -> Iterator[None]:
    """Have this thread's calls of models that wait for others ended by what `check` raises."""
    before = _check.set(check)
    try:
        yield
    finally:
        _check.reset(before)


def check_waiting() -> None:
    """Raise what ends the waiting of this thread, if anything does."""
    if (check := _check.get()) is not None:
        check()
