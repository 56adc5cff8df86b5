"""The target of a request, which is a path, or a whole URL as proxies are asked."""

import re
from urllib.parse import unquote

from starlette.types import Scope

_ABSOLUTE = re.compile(rb"https?://([^/]+)(/.*)?", re.IGNORECASE)


def in_origin_form(scope: Scope) -> Scope:
    """Return a request whose target is a path; of a URL the host stands for the header Host.

    A server must take both forms (RFC 9112, section 3.2.2).
    """
    absolute = _ABSOLUTE.fullmatch(scope.get("raw_path") or b"")
    if absolute is None:
        return scope
    host, path = absolute[1], absolute[2] or b"/"
    headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
    return {
        **scope,
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "headers": [(b"host", host), *headers],
    }
