"""What an answer with a failing status says of itself."""

import json

import httpx

from similarity.connections import seconds_to_wait, shown_address
from similarity.printable import printable

# The most seconds of a Retry-After header: a proxy's mistake must not end a server's use.
LONGEST_PAUSE = 300.0
# Of a server's own words.
_MOST_CHARACTERS = 300


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of a Retry-After header, which may be a date; LONGEST_PAUSE at most."""
    seconds = seconds_to_wait(response.headers.get("retry-after", ""))
    return None if seconds is None else min(seconds, LONGEST_PAUSE)


def message(response: httpx.Response) -> str:
    """Return the words of an error, or of its status if it has none; the key is left out."""
    return own_words(response) or _line(response, response.text) or response.reason_phrase


def own_words(response: httpx.Response) -> str | None:
    """Return the words of an answer that says it is an error, whatever its status; else None."""
    try:
        content = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    error = content.get("error", content)
    said = error.get("message") if isinstance(error, dict) else error
    return (_line(response, said) or None) if isinstance(said, str) else None


def _line(response: httpx.Response, said: str) -> str:
    if key := response.request.headers.get("authorization", "").removeprefix("Bearer "):
        said = said.replace(key, "…")
    return printable(" ".join(said.split()))[:_MOST_CHARACTERS]


def sent_on(response: httpx.Response, url: str) -> str | None:
    """Return the address to which a server at `url` sends requests on; None if it sends to none.

    It has no user and no password, and is printable.
    """
    if not response.has_redirect_location:
        return None
    whole = str(response.url.join(response.headers["location"]))
    route = str(response.url).removeprefix(url)
    return printable(shown_address(whole.removesuffix(route)))[:_MOST_CHARACTERS]
