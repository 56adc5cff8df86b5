"""Every exception of the project can be sent to another process, and copied."""

import copy
import inspect
import pickle
import re
from importlib import import_module
from typing import Any

import click
import pytest

from similarity.errors import ConfigError
from tests.test_architecture import MODULES

DEFINES = re.compile(r"^class \w+\(.*(Error|Exception|Warning|Portable)\b", re.MULTILINE)
# What an exception is made of, by the name of the argument; all others are words.
ARGUMENTS = {
    "status": 422,
    "retry_after": 2.5,
    "seconds": 1.5,
    "tokens": 7,
    "most": 5,
    "slow": True,
    "lost": True,
    "error": ConfigError("there is no such setting", "preset"),
    "context": click.Context(click.Command("compare")),
    "pause": print,
}


def exceptions() -> list[type[BaseException]]:
    """Return all exception classes that the project defines."""
    found: list[type[BaseException]] = []
    for name, path in MODULES.items():
        if DEFINES.search(path.read_text(encoding="utf-8")):
            classes = [one for one in vars(import_module(name)).values() if isinstance(one, type)]
            found += [
                one for one in classes if issubclass(one, BaseException) and one.__module__ == name
            ]
    return found


def made(kind: type[BaseException]) -> BaseException:
    """Return an exception with all that its class takes, and with a note."""
    _, *parameters = inspect.signature(kind.__init__).parameters.values()
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for one in parameters:
        value = ARGUMENTS.get(one.name, f"words of {one.name}")
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD):
            positional.append(value)
        elif one.kind is one.KEYWORD_ONLY:
            named[one.name] = value
        elif one.kind is one.VAR_POSITIONAL:
            positional.append("words")
    error = kind(*positional, **named)
    error.add_note("where it was")
    return error


def fields(error: BaseException) -> tuple[Any, ...]:
    """Return what an exception has; errors among its fields by what they have."""
    held = {
        name: fields(value) if isinstance(value, BaseException) else value
        for name, value in vars(error).items()
    }
    return type(error), str(error), error.args, held


@pytest.mark.parametrize("kind", exceptions(), ids=lambda kind: kind.__name__)
def test_it_is_the_same_after_pickling_and_copying(kind: type[BaseException]) -> None:
    error = made(kind)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert fields(pickle.loads(pickle.dumps(error, protocol))) == fields(error)
    assert fields(copy.copy(error)) == fields(copy.deepcopy(error)) == fields(error)


def test_all_are_found() -> None:
    names = {kind.__name__ for kind in exceptions()}
    assert {"TrajsimError", "ServiceError", "ApiError", "ReaderGone", "_EndedError"} <= names
