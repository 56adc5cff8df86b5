"""From errors to HTTP answers: one table of status and code, one JSON shape."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from service.schemas import ErrorDetail, ErrorResponse
from similarity.errors import ConfigError, InputError, ModelError, TextTooLongError, TrajsimError

# The first class that an error is an instance of decides.
STATUS: tuple[tuple[type[TrajsimError], int, str], ...] = (
    (TextTooLongError, 422, "text_too_long"),
    (InputError, 422, "invalid_text"),
    (ConfigError, 422, "invalid_setting"),
    (ModelError, 503, "model_unavailable"),
    (TrajsimError, 500, "internal_error"),
)


class RequestTooLargeError(InputError):
    """A request that costs more than the service's settings allow."""


def error_response(status: int, code: str, message: str) -> JSONResponse:
    """Return the one shape of all errors."""
    body = ErrorResponse(error=ErrorDetail(code=code, message=message))
    return JSONResponse(body.model_dump(), status_code=status)


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error that leaves a route in the one shape."""
    app.add_exception_handler(TrajsimError, _library_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)


async def _library_error(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RequestTooLargeError):
        return error_response(413, "request_too_large", str(error))
    status, code = next((s, c) for kind, s, c in STATUS if isinstance(error, kind))
    return error_response(status, code, " ".join(str(error).split()))


async def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return error_response(422, "invalid_request", f"{place}: {first['msg']}")


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return error_response(error.status_code, code, str(error.detail))


async def _unexpected_error(_request: Request, _error: Exception) -> JSONResponse:
    return error_response(500, "internal_error", "the service failed; its log says how")
