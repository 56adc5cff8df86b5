"""The outermost middleware: request id, drain, bounds of the body, log line, metrics, trace."""

import asyncio
import logging
import time
from contextlib import nullcontext
from functools import cached_property

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.engine.engine import Engine
from service.engine.exceptions import DrainingError, GivenUpError, NoResourcesError
from service.engine.metrics import Metrics
from service.engine.workers import is_out_of_resources
from service.http.body import Body
from service.http.crowd import TOO_MANY, WAIT_SECONDS
from service.http.problems import Problem, problem_of, refusal, request_id_of
from service.http.room import Room
from service.http.security import PROBES
from service.http.targets import in_origin_form
from service.http.tracing import Attributes, Tracing
from service.http.unrouted import Unrouted
from service.logs import places

logger = logging.getLogger("service.access")

METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class RequestMiddleware:
    """ASGI middleware around all others; no error leaves it.

    Parameters
    ----------
    drain
        Holds `draining`, and counts `in_flight` requests.
    unrouted
        Knows the route of a request that is answered before the router.
    bodies
        Where the bodies of all requests are counted.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        tracing: Tracing | None,
        drain: "Drain",
        unrouted: Unrouted,
        max_body_bytes: int,
        bodies: Room,
        body_seconds: float,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing
        self._drain = drain
        self._unrouted = unrouted
        self._max_body_bytes = max_body_bytes
        self._bodies = bodies
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer for it where it fails."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = in_origin_form(scope)
        turned_away = scope["state"].get("turned_away", False)
        body = Body(
            receive,
            Headers(scope=scope),
            max_bytes=self._max_body_bytes,
            seconds=min(self._body_seconds, WAIT_SECONDS) if turned_away else self._body_seconds,
            bodies=self._bodies,
            asks=scope["state"].get("asks_before_body", lambda: False),
        )
        exchange = _Exchange(scope, send, body, self._drain, self._unrouted)
        scope["state"]["body"] = body
        exchange.last = body.ambiguous
        span = (
            self._tracing.span("HTTP", Headers(scope=scope))
            if self._tracing
            else nullcontext(Attributes())
        )
        with span as attributes:
            await self._answer(exchange)
            attributes.update(exchange.facts(), name=exchange.name)
        self._report(exchange)

    async def _answer(self, exchange: "_Exchange") -> None:
        probe = exchange.scope["path"] in PROBES
        # Refused ones too: the service does not end while the rest of a body still comes.
        self._drain.in_flight += not probe
        try:
            await self._answer_or_refuse(exchange, probe)
        except asyncio.CancelledError:
            # The server's last word, which it follows by an error of its own unless it is answered.
            if not self._drain.draining:
                raise
            exchange.last = True
            await exchange.fail(problem_of(GivenUpError()))
        finally:
            exchange.note_refusal()
            exchange.body.release()
            self._drain.in_flight -= not probe

    async def _answer_or_refuse(self, exchange: "_Exchange", probe: bool) -> None:
        if self._drain.draining and not probe:
            draining = DrainingError("the service is going down; send it to another one, or later")
            await exchange.refuse(problem_of(draining))
            return
        if exchange.turned_away and not probe:
            await exchange.refuse(TOO_MANY)
            return
        if exchange.body.ambiguous:
            refusal = HTTPException(
                400, "the request has both Content-Length and Transfer-Encoding; send one of them"
            )
            await exchange.refuse(problem_of(refusal))
            return
        try:
            await self._app(exchange.scope, exchange.body.receive, exchange.send)
        except Exception as failure:
            # Of code that starts threads itself, as that which reads the page's files.
            error = NoResourcesError() if is_out_of_resources(failure) else failure
            if not isinstance(error, (HTTPException, NoResourcesError)):
                _log_failure(exchange, error)
            await exchange.fail(problem_of(error))

    def _report(self, exchange: "_Exchange") -> None:
        seconds = time.monotonic() - exchange.began
        self._metrics.request(exchange.route, exchange.method, exchange.status, seconds)
        code = exchange.scope["state"].get("code")
        if code:
            self._metrics.failure(code)
        level = logging.DEBUG if exchange.scope["path"] in PROBES else logging.INFO
        logger.log(level, "request", extra={**exchange.facts(), "seconds": round(seconds, 4)})


def report_unread(metrics: Metrics, problem: Problem, request_id: str) -> None:
    """Record what a connection refused before there was a request, as requests are recorded.

    Of connections too many, the crowd has a line for all together.
    """
    metrics.failure(problem.code)
    if problem is TOO_MANY:
        return
    metrics.request("other", "OTHER", problem.status, 0.0)
    facts = {"method": "OTHER", "route": "other", "status": problem.status, "code": problem.code}
    logger.info("request", extra={"request_id": request_id, **facts, "seconds": 0.0})


class Drain:
    """Whether the service is going down, and how many requests are still in flight."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.in_flight = 0
        self.draining = False

    def begin(self) -> None:
        """Refuse new requests, and be ready no more."""
        self.draining = True
        if self.engine is not None:
            self.engine.health.draining = True

    def give_up(self) -> None:
        """Fail what is still in flight."""
        if self.engine is not None:
            self.engine.give_up()


class _Exchange:
    """One request and its answer, as the log line and the metrics record them."""

    def __init__(
        self, scope: Scope, send: Send, body: Body, drain: Drain, unrouted: Unrouted
    ) -> None:
        self._drain = drain
        self._unrouted = unrouted
        # It came by a connection too many.
        self.turned_away: bool = scope["state"].get("turned_away", False)
        self.scope = scope
        self.body = body
        self.began = time.monotonic()
        self.status = 0
        self._whole = False
        # Whether no more is read from its connection, nor the rest of its body.
        self.last = False
        self._send = send
        self.method = scope["method"] if scope["method"] in METHODS else "OTHER"
        self.request_id = request_id_of(scope)

    @cached_property  # once it is answered
    def route(self) -> str:
        """Return the route's path as it was declared, never as a client wrote it."""
        taken: str | None = getattr(self.scope.get("route"), "path", None)
        return taken or self._unrouted.path_at(self.scope) or "other"

    @property
    def name(self) -> str:
        return f"{self.method} {self.route}"

    def facts(self) -> dict[str, str | int | float]:
        state = self.scope["state"]
        facts: dict[str, str | int | float] = {
            "request_id": self.request_id,
            "method": self.method,
            "route": self.route,
            "status": self.status,
        }
        if state.get("code"):
            facts["code"] = state["code"]
        facts.update(state.get("work", {}))
        return facts

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self.last:
                await self.body.drop()
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            # Or the server would read on, however long the body is. While it goes down, a client
            # would send its next request to a connection that is about to be closed.
            closing = self._drain.draining or self.turned_away
            if self.last or closing or not self.body.complete:
                headers["Connection"] = "close"
            headers["X-Request-Id"] = self.request_id
            truncated = self.scope["state"].get("work", {}).get("truncated_texts")
            if truncated:
                headers["X-Truncated-Texts"] = str(truncated)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)
        self._whole = message["type"] == "http.response.body" and not message.get("more_body")

    def note_refusal(self) -> None:
        """Take the status and the code of the connection's own answer, if it gave one."""
        refused: Problem | None = self.scope["state"].get("refused")
        if refused is not None:
            self.status, self.scope["state"]["code"] = refused.status, refused.code

    async def fail(self, problem: Problem) -> None:
        """Answer why there is none; one that has begun is cut off, and recorded with the code."""
        if not self.status:
            await self.refuse(problem)
        elif not self._whole:
            state = self.scope["state"]
            # That of a connection which was closed before is the reason.
            code = state.setdefault("code", problem.code)
            if "abort" in state:
                state["abort"](code)

    async def refuse(self, problem: Problem) -> None:
        await refusal(problem, self.scope)(self.scope, self.body.receive, self.send)


def _log_failure(exchange: _Exchange, error: Exception) -> None:
    """Log where it failed; the message, which may hold a user's text, at debug level only."""
    facts = {"request_id": exchange.request_id, "error": type(error).__name__}
    logging.getLogger("service").error("unforeseen error", extra={**facts, "at": places(error)})
    logging.getLogger("service").debug("unforeseen error", extra=facts, exc_info=error)
