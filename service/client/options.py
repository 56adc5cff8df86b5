"""What both kinds of httpx's client are made with: an address, a key and a time."""

import re
from typing import Any

import httpx

from similarity.answering import AS_IT_IS
from similarity.connections import header_key, shown_address
from similarity.errors import ConfigError
from similarity.hosts import host_of
from similarity.validation import given_integer, given_number

# What clients of OpenAI have at the end of an address; each call's path begins with it. Of several
# slashes there, all but one would be part of that path.
_END = re.compile(rb"/*(/v1)?/*$")


def http_options(url: str, api_key: str | None, timeout: float, retries: int) -> dict[str, Any]:
    """Return the options of both kinds of httpx's client.

    Raises
    ------
    ConfigError
        If a header cannot carry the key, the URL is not the address of a service, or another value
        is out of range.
    """
    timeout = given_number("timeout", timeout, at_least=0.001, at_most=1e6)
    given_integer("retries", retries, at_least=0, at_most=1000)
    headers = {"content-type": "application/json", **AS_IT_IS}
    if api_key is not None and (key := header_key("api_key", api_key)):
        headers["authorization"] = f"Bearer {key}"
    return {"base_url": _checked(url), "headers": headers, "timeout": timeout}


def _checked(url: str) -> httpx.URL:
    """Return an address to which the path of a call can be added."""
    try:
        found, host = httpx.URL(url), host_of(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        found, host = httpx.URL(), ""
    # A port of 0 connects to none.
    possible = found.port is None or 0 < found.port < 2**16
    sound = found.scheme in ("http", "https") and host and possible
    if not sound or found.query or found.fragment:
        raise ConfigError(
            f"{shown_address(str(url))!r} is not the address of a service; give one such as "
            "http://127.0.0.1:8000, without a query"
        )
    return found.copy_with(raw_path=_END.sub(b"/", found.raw_path, count=1))
