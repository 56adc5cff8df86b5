"""Who may call: by bearer keys, compared in constant time, and by the host that is named."""

import base64
import hashlib
import hmac
from collections.abc import Collection, Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.problems import Problem, refusal
from service.origins import host_in
from similarity.connections import is_loopback

# Those that a balancer or an orchestrator calls, which has no key.
PROBES = frozenset({"/health", "/health/live", "/health/ready"})


class Keys:
    """The keys that are valid; only their digests are kept."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def allow(self, authorization: str | None) -> bool:
        """Return whether an Authorization header has a valid key, as bearer or as Basic password.

        Basic is what a browser can send for the page: it lets its user enter the key.
        """
        given = _digest(_key_of(authorization or ""))
        # All are compared, so that the time taken does not show which one is near.
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
        response = refusal(problem, scope)
        # Of a browser, that opens the page or in whose page a request is sent again.
        if "text/html" in headers.get("accept", ""):
            response.headers["WWW-Authenticate"] = 'Basic realm="API key as password"'
        await response(scope, receive, send)


class HostCheck:
    """ASGI middleware: a request names a host of this machine, or one that is allowed.

    Whoever has a name on the internet can have it stand for 127.0.0.1. To a browser a page of that
    name is then of this service, and may read its answers. Only the name shows this.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] != "http" or scope["path"] in PROBES or self._allows(scope):
            await self._app(scope, receive, send)
            return
        problem = Problem(
            403,
            "invalid_request_error",
            "host_not_allowed",
            "this service may be called as 127.0.0.1 or localhost, not by the name in the header "
            "Host; its setting allowed_hosts (TRAJSIM_ALLOWED_HOSTS) has more names, or * for all",
        )
        await refusal(problem, scope)(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        given = Headers(scope=scope).get("host")
        if not given:  # as of HTTP/1.0, which no browser sends
            return True
        host = host_in(given)
        return host in self._hosts or host.endswith(".localhost") or is_loopback(host)


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
