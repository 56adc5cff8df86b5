"""From every error to its HTTP answer: one table, one JSON shape."""

import json
import math
import re
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from anyio import CapacityLimiter
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from service.engine.exceptions import (
    BusyError,
    ClientGoneError,
    DeadlineError,
    DrainingError,
    NoResourcesError,
    RequestTooLargeError,
    ServiceError,
    UnreadableScaleError,
    changed_words,
)
from service.engine.workers import run_in_turn
from service.http.fetching import ImageHostError, ImageSourceError, ImageSourceTimeoutError
from service.http.mistakes import field_names, first_mistake, written
from similarity.errors import (
    BackendKeyError,
    BackendTimeoutError,
    BackendUnavailableError,
    ConfigError,
    ImageError,
    InputError,
    ModelChangedError,
    ModelError,
    TextTooLongError,
    UnsupportedError,
    WrongAnswerError,
)


@dataclass(frozen=True)
class Problem:
    """An answer that is not a success.

    Parameters
    ----------
    kind
        OpenAI's `type`.
    code
        Stable, for programs.
    retry_after
        Seconds after which it is worth trying again; None where it is not.
    headers
        That belong to the answer besides.
    param
        The field of the request that is wrong, as the user wrote it; None where it is none.
    """

    status: int
    kind: str
    code: str
    message: str
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    param: str | None = None


REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_BAD = "invalid_request_error"
_SERVER = "server_error"

# The first class that an error is an instance of decides: status, type, code, Retry-After.
PROBLEMS: tuple[tuple[type[Exception], int, str, str, float | None], ...] = (
    (RequestTooLargeError, 413, _BAD, "request_too_large", None),
    (ImageHostError, 403, _BAD, "image_host_not_allowed", None),
    (ImageSourceTimeoutError, 504, _BAD, "image_source_timeout", None),
    (ImageSourceError, 502, _BAD, "image_source_failed", None),
    (TextTooLongError, 422, _BAD, "text_too_long", None),
    (ImageError, 422, _BAD, "invalid_image", None),
    (InputError, 422, _BAD, "invalid_text", None),
    (ConfigError, 422, _BAD, "invalid_setting", None),
    (BusyError, 429, "rate_limit_error", "queue_full", 1.0),
    (DeadlineError, 504, _SERVER, "deadline_exceeded", None),
    (DrainingError, 503, _SERVER, "shutting_down", 1.0),
    (NoResourcesError, 503, _SERVER, "no_resources", 1.0),
    (UnreadableScaleError, 500, _SERVER, "scale_unreadable", None),
    (ClientGoneError, 499, _BAD, "client_closed_request", None),
    # As later requests are answered, until the model's server is mended.
    (ModelChangedError, 503, _SERVER, "model_unavailable", 1.0),
    (BackendKeyError, 503, _SERVER, "model_unavailable", 1.0),
    (WrongAnswerError, 502, _SERVER, "model_wrong_answer", None),
    (BackendUnavailableError, 503, _SERVER, "model_unavailable", 1.0),
    (BackendTimeoutError, 504, _SERVER, "model_timeout", 1.0),
    (UnsupportedError, 501, _BAD, "unsupported", None),
    (ModelError, 502, _SERVER, "model_failed", None),
)

# What clients are told of an error of the model's. Its own words may have the address of a server,
# and what that one said; who runs the service finds them in the log.
_IN_THE_LOG = "whoever runs the service finds the reason in its log, by the request id"
MODEL_MESSAGES: tuple[tuple[type[Exception], str], ...] = (
    (
        BackendKeyError,
        f"the model's server refuses the service; send it again later; {_IN_THE_LOG}",
    ),
    (WrongAnswerError, f"the model gave a wrong answer; {_IN_THE_LOG}"),
    (BackendUnavailableError, f"the model does not answer; send it again later; {_IN_THE_LOG}"),
    (BackendTimeoutError, f"the model did not answer in time; send it again later; {_IN_THE_LOG}"),
    (ModelError, f"the model failed this request; {_IN_THE_LOG}"),
)

HTTP_CODES = {
    400: "invalid_body",
    401: "invalid_api_key",
    404: "not_found",
    405: "method_not_allowed",
    408: "body_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
    431: "headers_too_large",
}


def problem_of(error: Exception, body: Any = None, request_type: Any = None) -> Problem:
    """Return what to answer for an error; an unforeseen one says nothing of its inside.

    Parameters
    ----------
    body
        Of the request, parsed: where the field that is wrong is looked for.
    request_type
        What a body must be: which fields are proposed for one that is unknown.
    """
    for kind, status, openai_type, code, retry_after in PROBLEMS:
        if isinstance(error, kind):
            own = getattr(error, "retry_after", None)
            after = retry_after if own is None else own
            param = (
                getattr(error, "param", None)
                or place_of(getattr(error, "text", None), body)
                or _setting(error, body)
            )
            message = _model_message(error) or " ".join(str(error).split())
            return Problem(status, openai_type, code, _placed(param, message), after, param=param)
    if isinstance(error, RequestValidationError):
        place, mistake = first_mistake(error, field_names(request_type))
        message = _placed(place or "the body", mistake)
        return Problem(422, _BAD, "invalid_request", message, param=place)
    if isinstance(error, HTTPException):
        openai_type = "authentication_error" if error.status_code == 401 else _BAD
        code = HTTP_CODES.get(error.status_code, "http_error")
        return Problem(
            error.status_code, openai_type, code, str(error.detail), headers=error.headers or {}
        )
    message = "the service failed on this request; give its id to who runs the service"
    return Problem(500, _SERVER, "internal_error", message)


async def problem_found(
    error: Exception, body: Any, request_type: Any, limiter: CapacityLimiter
) -> Problem:
    """Return what `problem_of` does; a text is looked for off the event loop, in its turn."""
    find = partial(problem_of, error, body, request_type)
    if getattr(error, "text", None) is not None:
        with suppress(NoResourcesError):
            return await run_in_turn(find, "request", limiter)
    return find()


def _placed(place: str | None, message: str) -> str:
    """Return a message that begins with the place that it is about, if there is one."""
    return message if place is None or message.startswith(place) else f"{place}: {message}"


def is_private(error: Exception) -> bool:
    """Return whether the words of an error are for who runs the service alone."""
    return _model_message(error) is not None


def _model_message(error: Exception) -> str | None:
    if isinstance(error, (ServiceError, UnsupportedError)):
        return None
    if isinstance(error, ModelChangedError):
        return f"{changed_words(error)}; send it again later; {_IN_THE_LOG}"
    return next((said for kind, said in MODEL_MESSAGES if isinstance(error, kind)), None)


def refusal(problem: Problem, scope: Scope) -> Response:
    """Return the answer to a request, whose log line and metrics get its code."""
    state = scope["state"]
    state["code"] = problem.code
    return problem_response(problem, state["request_id"])


def request_id_of(scope: Scope) -> str:
    """Return the id of a request: the client's own if it can be one, else a new one."""
    state: dict[str, Any] = scope.setdefault("state", {})
    if "request_id" not in state:
        given = Headers(scope=scope).get("x-request-id", "")
        state["request_id"] = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    return str(state["request_id"])


def problem_response(problem: Problem, request_id: str) -> Response:
    """Return an answer in the one shape (which is OpenAI's)."""
    content = {
        "error": {
            "message": problem.message,
            "type": problem.kind,
            "param": problem.param,
            "code": problem.code,
            "request_id": request_id,
        }
    }
    # ASCII, as a message may quote a key of the client's that is no valid Unicode.
    response = Response(
        json.dumps(content), problem.status, dict(problem.headers), media_type="application/json"
    )
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _setting(error: Exception, body: Any) -> str | None:
    """Return the field of a body that has the setting that is wrong; None where it has none."""
    name = error.setting if isinstance(error, ConfigError) else None
    return name if isinstance(body, dict) and name in body else None


def place_of(text: str | None, body: Any) -> str | None:
    """Return where in a body a text is first, as `input[2]`; None where it is not."""
    return None if text is None else written(_way_to(text, body) or ())


def _way_to(text: str, value: Any) -> list[str | int] | None:
    """Return the names and numbers on the way to a text; None where it is not.

    A body is not so deep that the stack would end.
    """
    if value == text:
        return []
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for name, one in inner:
        # Of the millions of numbers that a body may have, none takes a call.
        if isinstance(one, (dict, list)) or one == text:
            way = _way_to(text, one)
            if way is not None:
                return [name, *way]
    return None
