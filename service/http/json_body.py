"""A request's JSON body: its lists are bounded in length before its fields are checked.

So is its answer, of whichever route, in bytes.
"""

import json
import re
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.engine.exceptions import ClientGoneError
from service.engine.limits import check_answer, refuse_above
from service.engine.workers import run_in_turn
from service.http.json_stream import answer_size, in_chunks
from service.settings import Settings
from similarity.tabular.values import json_fault, without_repeats

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

# A longer body is parsed and checked in a thread, so that the event loop turns meanwhile.
PARSED_AT_ONCE = 2**16
# No object that means something here has as many; each unknown field is a mistake to report.
MAX_FIELDS = 1_000
# Of a body, for each item that a list may have: its lists and objects, and their fields. A pair of
# images takes three.
CONTAINERS_OF_ITEM = FIELDS_OF_ITEM = 8
# Lists and objects one within the other: documents are given back, which takes the stack again.
MAX_DEPTH = 100
# What a message calls the body itself, and the most characters of a field's name in it.
_BODY, _NAME = "the body", 80
_LEVELS = "levels of lists and objects in {}"
_BRACKET = re.compile(rb"[\[\]{}]")
# A string of JSON, to its end or to that of the body.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


class JsonRequest(Request):
    """A request whose body is read already."""

    model: Any = None

    async def json(self) -> Any:
        """Return what the route takes, which FastAPI leaves as it is."""
        return self.model


class JsonRoute(APIRoute):
    """A route that reads its body by `parsed`, and whose answer has `max_answer_bytes` at most."""

    def get_route_handler(self) -> Handler:
        """Return what handles a request."""
        handle = super().get_route_handler()
        field = self.body_field
        if field is None:
            return handle

        def checked(content: bytes, max_items: int) -> tuple[Any, Any, list[Any]]:
            """Return the parsed body, what the route takes in its place, and what is wrong."""
            value = parsed(content, max_items)
            return value, *field.validate(value, loc=("body",))

        async def read_and_handle(request: Request) -> Response:
            read = JsonRequest(request.scope, request.receive)
            try:
                content = await read.body()
            except ClientDisconnect as error:
                raise ClientGoneError("the client went away before its body had come") from error
            _check_type(read)
            settings: Settings = request.app.state.settings
            check = partial(checked, content, settings.max_items)
            if len(content) <= PARSED_AT_ONCE:
                value, read.model, mistakes = check()
            else:
                parsers = request.app.state.parsers
                value, read.model, mistakes = await run_in_turn(check, "request", parsers)
            request.state.content = value
            if mistakes:
                raise RequestValidationError(mistakes, body=value)
            answer = await handle(read)
            check_answer(answer_size(answer), settings)
            return in_chunks(answer)

        return read_and_handle


def parsed(content: bytes, max_items: int) -> Any:
    """Return the value that a body stands for.

    Raises
    ------
    HTTPException
        400 if it is not JSON in UTF-8, or an object says one name twice.
    RequestTooLargeError
        If a list has more than `max_items` items, or an object more than MAX_FIELDS fields, or
        there are too many lists, objects or fields in all, or they are nested too deeply.
    """
    try:
        # Of bytes the parser would guess the encoding, and not the one that they are counted in.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HTTPException(400, "the body is not JSON: it is not UTF-8") from error
    _check_count(content, b"[{", CONTAINERS_OF_ITEM * max_items, "lists and objects")
    _check_count(content, b":", FIELDS_OF_ITEM * max_items, f"fields in all objects of {_BODY}")
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=without_repeats)
    except RecursionError:
        # Beyond what the parser can read, so by far too deep.
        refuse_above(_depth(content), MAX_DEPTH, _LEVELS.format(_BODY))
        raise
    except ValueError as error:
        raise HTTPException(400, f"the body is not JSON: {json_fault(error)}") from error
    check_lists(value, max_items)
    return value


def _check_count(content: bytes, marks: bytes, allowed: int, what: str) -> None:
    """Refuse a body in which one of these marks stands too often beside its strings.

    Hundreds of thousands of what they begin take the parser long, and nothing else is done.
    """
    found = _count(content, marks)
    if found > allowed:
        found -= sum(_count(string.group(), marks) for string in _STRING.finditer(content))
    refuse_above(found, allowed, what)


def _depth(content: bytes) -> int:
    """Return how deep lists and objects stand in each other, at most."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", content)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _count(content: bytes, marks: bytes) -> int:
    return sum(map(content.count, marks))


def check_lists(content: Any, max_items: int) -> None:
    """Refuse lists that are too long, objects of too many fields, and what is nested too deeply.

    Raises
    ------
    RequestTooLargeError
        Saying which, and how many items or fields are allowed.
    """
    open_values: list[tuple[str, Any, int]] = [("", content, 1)]
    while open_values:
        name, value, depth = open_values.pop()
        refuse_above(depth, MAX_DEPTH, _LEVELS.format(name or _BODY))
        if isinstance(value, dict):
            refuse_above(len(value), MAX_FIELDS, f"fields in {name or _BODY}", param=name or None)
            open_values += [
                (f"{name}.{key}".removeprefix(".")[:_NAME], inner, depth + 1)
                for key, inner in value.items()
                if isinstance(inner, (list, dict))
            ]
        elif isinstance(value, list):
            refuse_above(len(value), max_items, f"items in {name or _BODY}", param=name or None)
            open_values += [
                (name, inner, depth + 1) for inner in value if isinstance(inner, (list, dict))
            ]


def _check_type(request: Request) -> None:
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        raise HTTPException(
            415, f"the body has the Content-Encoding {packed[:40]!r}; send it unpacked, without one"
        )
    given = request.headers.get("content-type", "")
    main, _, sub = given.partition(";")[0].strip().lower().partition("/")
    if main == "application" and (sub == "json" or sub.endswith("+json")):
        return
    got = f"got {given[:80]!r}" if given else "got none"
    raise HTTPException(415, f"send the header 'Content-Type: application/json'; {got}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
