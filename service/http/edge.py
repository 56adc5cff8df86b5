"""What holds for every answer: HEAD is answered where GET is, and every error is JSON.

Libraries that answer below the routes, as for files and for other origins, write errors as text.
"""

from dataclasses import replace

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import problem_of, refusal

VERSIONS = ("1.0", "1.1")
# By which pages of allowed origins may call.
PAGE_METHODS = ("GET", "HEAD", "POST")
RANGE = "the header Range {}; write it as bytes=0-99, within the size of the file, or leave it out"
ORIGIN = (
    "pages of the origin {} may not call this service; its setting cors_origins has those that may"
)
METHOD = "pages of other origins may not call this service by {}; use {}"


class Edge:
    """ASGI middleware that gives each error that is no JSON the service's one shape."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, HEAD as GET."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["http_version"] not in VERSIONS:
            error = HTTPException(400, f"use HTTP/1.1, got HTTP/{scope['http_version']}")
            problem = replace(problem_of(error), code="invalid_http")
            await refusal(problem, scope)(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET"} if head else scope
        answer = _Answer(scope, receive, send, head)
        await self._app(inner, receive, answer.send)
        if "route" in inner:
            scope["route"] = inner["route"]


class _Answer:
    """One answer on its way out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, head: bool) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._head = head
        # The beginning of an error that is no JSON, and its text so far.
        self._held: Message | None = None
        self._text = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_text_of_error(message):
            self._held = message
        elif self._held is not None:
            self._text += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_problem(self._held)
        elif self._head and message["type"] == "http.response.body":
            await self._send({**message, "body": b""})
        else:
            await self._send(message)

    async def _send_problem(self, start: Message) -> None:
        status, headers = start["status"], Headers(raw=start["headers"])
        code, message = self._refusal(status)
        problem = replace(problem_of(HTTPException(status, message)), code=code)
        response = refusal(problem, self._scope)
        kept = {
            name: value
            for name, value in headers.items()
            if name not in ("content-type", "content-length")
        }
        response.headers.update(kept)
        if self._head:
            response.body = b""
        await response(self._scope, self._receive, self._send)

    def _refusal(self, status: int) -> tuple[str, str]:
        """Return the code and the message of what a library has refused."""
        given = Headers(scope=self._scope)
        if status == 416:
            return "invalid_range", RANGE.format("is outside of the file")
        if status == 400 and "range" in given:
            return "invalid_range", RANGE.format("cannot be read")
        text = self._text.decode(errors="replace").strip()
        if status == 400 and text.startswith("Disallowed CORS"):
            return _refused_preflight(text, given)
        return "http_error", text or "the request cannot be answered"


def _refused_preflight(text: str, given: Headers) -> tuple[str, str]:
    """Return the code and the message of a page's refused question of what it may send.

    Parameters
    ----------
    text
        Lists what is not allowed, of origin and method: all else is.
    """
    if "origin" in text:
        return "origin_not_allowed", ORIGIN.format(given.get("origin", "")[:80])
    method = given.get("access-control-request-method", "")[:20]
    return "method_not_allowed", METHOD.format(method or "no method", " or ".join(PAGE_METHODS))


def _is_text_of_error(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] >= 400 and not kind.startswith("application/json")
