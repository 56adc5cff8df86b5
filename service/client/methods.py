"""From a function that builds a call to a method of a client."""

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


def described(method: Method, client: str, builder: Callable[..., Any]) -> Method:
    """Give a client's method the name, documentation and parameters of the call that it makes."""
    update_wrapper(method, builder, assigned=("__name__", "__doc__", "__annotations__"))
    method.__qualname__ = f"{client}.{builder.__name__}"
    # What `help` and editors show; `__wrapped__` would hide the first parameter behind `self`.
    del method.__wrapped__  # type: ignore[attr-defined]
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(builder).parameters.values()
    method.__signature__ = inspect.Signature([itself, *parameters])  # type: ignore[attr-defined]
    return method
