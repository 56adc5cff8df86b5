"""Every error a user of the library can meet.

TrajsimError
├── InputError                  a text or a file of the caller's
│   ├── TextTooLongError        longer than the model's context
│   │   └── ImageTooLongError   an image that is; it is an ImageError too
│   └── ImageError              an image that cannot be read or taken, or is too large
├── ConfigError                 a setting that is unknown or out of range
└── ModelError                  the language model
    ├── ModelNotFoundError      nothing loadable under that name
    ├── MissingDependencyError  an optional package is not installed
    ├── UnsupportedError        this kind of model cannot give what is needed
    ├── BackendError            a model server
    │   ├── BackendUnavailableError  none answers, or all are overloaded
    │   ├── BackendTimeoutError      no answer within the time allowed
    │   └── BackendRefusedError      it refuses the request
    │       └── BackendKeyError      it wants another API key
    └── WrongAnswerError        numbers that cannot be right: never scored
        └── ModelChangedError   a server has another model than at loading
"""

import copyreg
from typing import Any

from similarity.printable import printable


class Portable(BaseException):
    """Base of exceptions that can be pickled and copied, whatever their `__init__` takes.

    Python calls a class with the exception's `args` again. A worker of a pool would thus lose an
    error whose class takes more, and its pool wait for ever; one that words a message would word
    it twice.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is made anew: without `__init__`, with its message and its fields."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class TrajsimError(Portable, Exception):
    """Base of all; its text is one printable line that says what was wrong and what to do."""

    def __init__(self, message: str = "") -> None:
        # It may have words of a server, or the name of a file.
        super().__init__(printable(" ".join(message.splitlines())))


class InputError(TrajsimError, ValueError):
    """A text or a file that cannot be compared.

    Attributes
    ----------
    text
        The text, by which a caller with many finds it among them; None where it is none of them.
    """

    def __init__(self, message: str, text: str | None = None) -> None:
        super().__init__(message)
        self.text = text


class TextTooLongError(InputError):
    """A text that, with its continuation, does not fit the model's context.

    Attributes
    ----------
    excess
        The tokens that are too many; None where they were not counted.
    """

    # What helps beside a shorter text, where there is such a setting.
    HAVE_CUT = "have it cut (truncate)"

    def __init__(self, message: str, text: str | None = None, excess: int | None = None) -> None:
        super().__init__(message, text)
        self.excess = excess


class ImageError(InputError):
    """An image that is none, too large or too narrow, damaged, or not one that the model takes.

    `text` is its name; in the service it is the image as the request has it.
    """


class ImageTooLongError(TextTooLongError, ImageError):
    """An image that has too many tokens: what is said of a text holds for it."""


class ConfigError(TrajsimError, ValueError):
    """A setting that is unknown or out of range; the message lists what is allowed.

    Attributes
    ----------
    setting
        Its name, by which a caller with many finds it among them; None where it is not just one.
    """

    def __init__(self, message: str, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


class ModelError(TrajsimError):
    """The language model could not be loaded or did not answer as it must."""


class ModelNotFoundError(ModelError):
    """No model under the given name, path or address."""


class MissingDependencyError(ModelError):
    """An optional package is needed; the message names the extra that brings it."""


class UnsupportedError(ModelError):
    """Something that a model of this kind cannot give, such as hidden states from a server."""


class BackendError(ModelError):
    """A model server failed a request; the message names its address."""


class BackendUnavailableError(BackendError):
    """No server of the model answers, or all of them are overloaded: later may do.

    Attributes
    ----------
    retry_after
        Seconds after which it is worth while; None where that is not known.
    """

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BackendTimeoutError(BackendError):
    """A server did not answer within the time allowed."""


class BackendRefusedError(BackendError):
    """A server, or the model it serves, refuses a request; sending it again does not help."""


class BackendKeyError(BackendRefusedError):
    """A server wants another API key than it is sent: until one is changed it refuses all.

    Attributes
    ----------
    answer
        What it answered by HTTP 403, without advice: it may refuse this request alone. Empty
        where it refuses all.
    """

    def __init__(self, message: str = "", answer: str = "") -> None:
        super().__init__(message)
        self.answer = answer


class RequestRefusedError(BackendRefusedError):
    """A server refuses what it was sent, and takes other texts; the other servers would too."""


class WrongAnswerError(ModelError):
    """A backend answered with something that would give a wrong score."""


class ModelChangedError(WrongAnswerError):
    """A server has another model than at loading, under one name; the old one may come back.

    Attributes
    ----------
    change
        What it does, without its address: read on as "than at loading".
    """

    def __init__(self, message: str = "", change: str = "has another model") -> None:
        super().__init__(message)
        self.change = change
