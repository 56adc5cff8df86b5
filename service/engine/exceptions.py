"""What the engine raises."""

from similarity.errors import (
    BackendKeyError,
    BackendTimeoutError,
    BackendUnavailableError,
    ModelChangedError,
    TrajsimError,
)


class ServiceError(TrajsimError):
    """A request that the service itself refuses or gives up."""


class ModelAwayError(ServiceError, BackendUnavailableError):
    """It is known that the model would not answer; said in the service's own words."""


def changed_words(error: ModelChangedError) -> str:
    """Return what a model's server does otherwise than before, without its address."""
    return f"the model's server {error.change} than when the service was started"


# The model is away for everybody, and may come back by itself.
AWAY = (BackendUnavailableError, BackendTimeoutError, BackendKeyError, ModelChangedError)


class RequestTooLargeError(ServiceError):
    """A request that costs more than the service's settings allow, ever.

    `text` is that which is too long, None where it is not one text. `param` is the field that has
    too many items, None where it is not one field.
    """

    def __init__(self, message: str, text: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.text = text
        self.param = param


class BusyError(ServiceError):
    """The queue is full, or memory; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NoResourcesError(ServiceError):
    """The process has no memory or no thread left for a request."""

    def __init__(self) -> None:
        super().__init__(
            "the service has no memory or no threads left for this at the moment; send it again "
            "later, or send less"
        )


class LostError(ServiceError):
    """A call of the model has ended without an answer, by a fault of the service."""

    def __init__(self) -> None:
        super().__init__(
            "the model's call for this request ended without an answer, by a fault of the service; "
            "send it again, and tell whoever runs the service, who finds more in the log"
        )


class UnreadableScaleError(ServiceError):
    """The scale that was fitted for a request's settings is damaged."""

    def __init__(self) -> None:
        super().__init__(
            "the scale that was fitted for these settings cannot be read; whoever runs the service "
            "finds its file in the log"
        )


class DeadlineError(ServiceError):
    """A request took longer than its deadline; `message` has {} where its seconds stand.

    `retry_after` is in seconds, None where the same request would take too long again.
    """

    def __init__(self, message: str, seconds: float, retry_after: float | None = None) -> None:
        super().__init__(
            message.format(f"{seconds:g} s")
            + "; whoever runs the service can raise TRAJSIM_DEADLINE_SECONDS"
        )
        self.retry_after = retry_after


class DrainingError(ServiceError):
    """The service is going down."""


class GivenUpError(DrainingError):
    """The service went down before a request was answered."""

    def __init__(self) -> None:
        super().__init__("the service went down before this was done; send it again")


class ClientGoneError(ServiceError):
    """The client went away; nobody reads the answer."""
