"""Requests that no route took: what there is instead, and whose they are if they were refused."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope

# Of a path that a client wrote, so much is repeated.
SHOWN = 80
# How like a path must be to be what was meant, from 0 to 1.
NEAR = 0.8


class Unrouted:
    """Knows what there is at a path, or near it.

    Parameters
    ----------
    routes
        All routes of the application.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes: Sequence[BaseRoute] = list(routes)

    def explained(self, error: HTTPException, request: Request) -> HTTPException:
        """Return an error of the router's with what is allowed; any other as it is."""
        if error.status_code == 404 and error.detail == "Not Found":
            return HTTPException(404, self._nothing_at(request.url.path))
        if error.status_code == 405:
            allowed = ", ".join(self._methods_at(request))
            fault = f"{_shown(request.url.path)} does not take {_shown(request.method)}; it takes"
            return HTTPException(405, f"{fault} {allowed}", {"Allow": allowed})
        return error

    def path_at(self, scope: Scope) -> str | None:
        """Return the path of the route at that of a request, as declared; None where none is.

        Requests that are refused before the router, as without a key, have no route yet.
        """
        routes = (one for one in self._routes if getattr(one, "path", None))
        at = (one for one in routes if one.matches(scope)[0] is not Match.NONE)
        return getattr(next(at, None), "path", None)

    def _nothing_at(self, path: str) -> str:
        known = [found for route in self._routes if (found := getattr(route, "path", None))]
        near = get_close_matches(path.rstrip("/") or "/", known, n=1, cutoff=NEAR)
        hint = f" {near[0]} is there." if near else ""
        return (
            f"there is nothing at {_shown(path)}.{hint} All paths are described at /docs, and for "
            "programs in /openapi.json"
        )

    def _methods_at(self, request: Request) -> list[str]:
        found: set[str] = set()
        # Within a mount the scope is already that of the mounted application.
        root = request.scope.get("app_root_path", request.scope.get("root_path", ""))
        scope = {**request.scope, "root_path": root}
        for route in self._routes:
            match, _ = route.matches(scope)
            if match is not Match.NONE:
                found |= {"GET"} if isinstance(route, Mount) else getattr(route, "methods", set())
        return sorted(found | ({"HEAD"} if "GET" in found else set()))


def _shown(given: str) -> str:
    return given if len(given) <= SHOWN else f"{given[:SHOWN]}…"
