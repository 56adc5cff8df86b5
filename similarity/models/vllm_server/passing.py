"""A failure of a request to a server, after which it may be sent again."""

from similarity.errors import BackendError, Portable


class PassingError(Portable, Exception):
    """A failure after which the same request may succeed, here or at another server.

    Parameters
    ----------
    error
        What a user is told if it does not.
    retry_after
        Seconds to wait by the server's Retry-After header, or None.
    slow
        Whether it may be at work still: sending the same again would double its load.
    once
        Whether only this request failed, at a server that is well: it is sent once more.
    fatal
        Whether the request may have killed the server, as it could the next.
    lost
        Whether there was no connection, or it broke off.
    """

    def __init__(
        self,
        error: BackendError,
        retry_after: float | None = None,
        *,
        slow: bool = False,
        once: bool = False,
        fatal: bool = False,
        lost: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after
        self.slow = slow
        self.once = once
        self.fatal = fatal
        self.lost = lost
