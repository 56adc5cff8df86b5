"""Who may call: bearer keys, compared in constant time."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.problems import Problem, problem_response

# Those that a balancer or an orchestrator asks, which has no key.
PROBES = frozenset({"/health", "/health/live", "/health/ready"})


class Keys:
    """The keys that are valid; only their digests are kept."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def allow(self, authorization: str | None) -> bool:
        """Return whether an Authorization header has a valid key, as bearer or as Basic password.

        Basic is what a browser can send for the page: it asks its user for the key.
        """
        given = _digest(_key_of(authorization or ""))
        # All are compared, so that the time taken tells nothing of which one is near.
        return bool(sum(hmac.compare_digest(given, digest) for digest in self._digests))


class Authentication:
    """ASGI middleware: every path but the probes needs a key, before anything is read."""

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self._app = app
        self._keys = Keys(keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["path"] in PROBES or self._keys.allow(headers.get("authorization")):
            await self._app(scope, receive, send)
            return
        problem = Problem(
            401,
            "authentication_error",
            "invalid_api_key",
            "no valid API key; send the header 'Authorization: Bearer <key>'",
        )
        response = problem_response(problem, scope["state"]["request_id"])
        if "text/html" in headers.get("accept", ""):
            response.headers["WWW-Authenticate"] = 'Basic realm="API key as password"'
        await response(scope, receive, send)


def _key_of(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:  # not base64, not ASCII or not UTF-8
            return ""
    return ""


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
