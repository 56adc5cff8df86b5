"""Answers that are not a success, and how OpenAPI describes them."""

from typing import Any

from pydantic import Field

from service.http.schemas.fields import Strict


class ErrorDetail(Strict):
    """What was wrong and what to change."""

    message: str = Field(description="One sentence, for people.")
    type: str
    param: str | None = Field(
        default=None, description="The field that is wrong, as pairs[1][0]; null where it is none."
    )
    code: str = Field(description="Stable, for programs.")
    request_id: str = Field(description="Also in the header X-Request-Id, and in the logs.")


class ErrorResponse(Strict):
    """The body of every answer that is not a success; OpenAI's shape."""

    error: ErrorDetail


RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which it is worth trying again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}


def error_answer(description: str, **more: Any) -> dict[str, Any]:
    """Return how OpenAPI describes an answer that is not a success."""
    return {"model": ErrorResponse, "description": description, **more}


ERRORS: dict[int | str, dict[str, Any]] = {
    400: error_answer("The body is not JSON."),
    401: error_answer("No valid API key, where the service has keys."),
    403: error_answer("The header Host has a name that the service does not go by."),
    408: error_answer("The body arrived too slowly."),
    413: error_answer("The request is larger, or costs more, than is ever allowed."),
    415: error_answer("The body is not declared as JSON."),
    422: error_answer("The request is not valid."),
    429: error_answer(
        "Too many requests wait already, or bodies, images or answers are too large together.",
        headers=RETRY_AFTER,
    ),
    500: error_answer("The service failed."),
    501: error_answer("The model, as it is served, does not give what this needs."),
    502: error_answer("The model gave numbers that cannot be right, or refused the request."),
    503: error_answer(
        "The model does not answer, or the service is going down.", headers=RETRY_AFTER
    ),
    504: error_answer(
        "No answer within the deadline; Retry-After stands where it may come at another time.",
        headers=RETRY_AFTER,
    ),
}
# Of routes that give meaning vectors.
NO_VECTORS: dict[int | str, dict[str, Any]] = {
    501: error_answer("The model is served without meaning vectors.")
}
# Of routes that take images.
ERRORS_OF_IMAGES: dict[int | str, dict[str, Any]] = ERRORS | {
    403: error_answer(
        "An image is on a host that the service does not fetch from; or the header Host has a name "
        "that the service does not go by."
    ),
    502: error_answer(
        "The model gave numbers that cannot be right, or refused the request; or the host of an "
        "image did not give it."
    ),
    504: error_answer(
        "No answer within the deadline, or no image from its host in time; Retry-After stands "
        "where an answer may come at another time.",
        headers=RETRY_AFTER,
    ),
}
