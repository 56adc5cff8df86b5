"""When a client asks again, and how long it waits before: as steps, without input or output."""

import random
import time
from collections.abc import Generator
from email.utils import parsedate_to_datetime

import httpx

from service.client.errors import NotReachedError

# Worth trying again: the queue is full, or the model is away.
LATER = frozenset({429, 503})
LONGEST_WAIT = 60.0

# What a client does next: send the request (None), or wait so many seconds first.
Steps = Generator[float | None, httpx.Response | httpx.TransportError, httpx.Response]


def steps_of(retries: int) -> Steps:
    """Drive the attempts of one call, without doing any input or output itself."""
    for attempt in range(retries + 1):
        outcome = yield None
        last = attempt == retries
        if isinstance(outcome, httpx.Response) and (outcome.status_code not in LATER or last):
            return outcome
        if isinstance(outcome, httpx.TransportError) and last:
            raise NotReachedError(
                f"no answer from the service in {retries + 1} attempts: {outcome!r}"
            ) from outcome
        yield _wait(outcome, attempt)
    raise AssertionError("the last attempt returns or raises")


def _wait(outcome: httpx.Response | httpx.TransportError, attempt: int) -> float:
    """Return the seconds to wait: what the service says, or ever longer, never in step."""
    said = outcome.headers.get("retry-after") if isinstance(outcome, httpx.Response) else None
    seconds = _seconds(said) if said else None
    if seconds is None:
        seconds = 0.25 * 2**attempt
    return min(seconds, LONGEST_WAIT) + random.uniform(0, 0.25)


def _seconds(retry_after: str) -> float | None:
    if retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
