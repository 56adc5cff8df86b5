"""What a client raises."""

import ssl

import httpx

from service.client.retries import BROKEN
from similarity.certificates import tls_error, uncertified
from similarity.errors import Portable
from similarity.printable import printable


class ApiError(Portable, Exception):
    """An answer that is not a success.

    Attributes
    ----------
    status, code
        Of HTTP, and the service's own stable code ("text_too_long", …).
    request_id
        To find the request in the service's logs.
    param
        The field that is wrong, as it was sent; None where it is not one.
    retry_after
        Seconds until the request may be sent again, where the service says so.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        request_id: str | None,
        *,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(printable(f"{message} ({status} {code})"))
        self.status = status
        self.code = printable(code)
        self.request_id = request_id
        self.param = None if param is None else printable(param)
        self.retry_after = retry_after


class UnexpectedAnswerError(Portable, Exception):
    """An answer that cannot be the service's: another server, or a proxy between, has given it."""

    def __init__(self, what: str) -> None:
        what = printable(what)
        super().__init__(f"this is no answer of the service: {what}; see whether its URL is right")


class NotReachedError(Exception):
    """The service could not be reached, or the connection broke, at every attempt."""


def not_reached(url: str, attempts: int, last: httpx.RequestError) -> NotReachedError:
    """Return why there is no answer: an address that is none is not tried again."""
    problem = tls_error(last)
    if isinstance(problem, ssl.SSLCertVerificationError):
        return NotReachedError(uncertified(url, problem))
    if isinstance(last, BROKEN):
        return NotReachedError(f"no answer from the service in {attempts} attempts: {last!r}")
    return NotReachedError(
        f"nothing can be sent to {url!r}: {last}; give an address such as http://127.0.0.1:8000"
    )
