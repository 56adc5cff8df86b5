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
    try:
        content = json.loads(response.content)
        said = content["error"]["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = response.text
    said = str(said)
    if key := response.request.headers.get("authorization", "").removeprefix("Bearer "):
        said = said.replace(key, "…")
    return " ".join(said.split())[:_MOST_CHARACTERS] or response.reason_phrase


def sent_on(response: httpx.Response, url: str) -> str | None:
    """Return the address to which a server at `url` sends requests on; None if it sends to none.

    It has no user and no password, and is printable.
    """
    if not response.has_redirect_location:
        return None
    whole = str(response.url.join(response.headers["location"]))
    route = str(response.url).removeprefix(url)
    return printable(shown_address(whole.removesuffix(route)))[:_MOST_CHARACTERS]
