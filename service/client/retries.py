"""When a client tries again, and how long it waits before."""

import random
import ssl

import httpx
from httpx_retries import Retry

from similarity.certificates import tls_error
from similarity.connections import seconds_to_wait

LONGEST_WAIT = 60.0
# What another attempt may mend. Not an address that is none, which `httpx.TransportError` is too.
BROKEN = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.ProxyError,
)
# Of what an answer says: the service itself never says more than its deadline.
LONGEST_RETRY_AFTER = 300.0
JITTER = 0.25


class ServiceRetry(Retry):
    """Tries again while the queue is full, the model is away, or connections break.

    It waits as long as the service says, or ever longer.
    """

    def is_retryable_exception(self, exception: Exception) -> bool:
        """Return whether another attempt may help: none does against a certificate."""
        return super().is_retryable_exception(exception) and not isinstance(
            tls_error(exception), ssl.SSLCertVerificationError
        )

    def backoff_strategy(self) -> float:
        """Return the seconds to wait where no answer says how long."""
        return min(super().backoff_strategy(), LONGEST_WAIT)

    def parse_retry_after(self, retry_after: str) -> float:
        """Return the seconds of the header and a random part, so that clients do not come at once.

        They are 0 where it names none, and the client then waits as without it. What is raised here
        would be logged, and so shown in the caller's terminal.
        """
        seconds = seconds_to_wait(retry_after)
        if seconds is None:
            return 0.0
        return min(seconds, LONGEST_RETRY_AFTER) + random.uniform(0, JITTER)


def service_retry(retries: int) -> ServiceRetry:
    """Return the rule for so many attempts after the first."""
    return ServiceRetry(
        total=retries,
        allowed_methods=["POST"],
        status_forcelist=[429, 503],
        retry_on_exceptions=BROKEN,
        backoff_factor=0.25,
        backoff_jitter=0.5,
        # It bounds what an answer says, too.
        max_backoff_wait=LONGEST_RETRY_AFTER + JITTER,
    )
