"""The client that waits for its answers."""

from collections.abc import Callable
from typing import Concatenate, NoReturn, ParamSpec, Self

import httpx
from httpx_retries import RetryTransport

from service.client.calls import (
    Call,
    Result,
    content_of,
    likelihoods,
    matrix,
    one_to_many,
    rerank,
    result_of,
    similarity,
    trajectories,
)
from service.client.errors import not_reached
from service.client.methods import described
from service.client.options import http_options
from service.client.reading import ReadingTransport
from service.client.retries import service_retry

DEFAULT_URL = "http://127.0.0.1:8000"

P = ParamSpec("P")


def _method(builder: Callable[P, Call[Result]]) -> Callable[Concatenate["Client", P], Result]:
    def send(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return client.ask(builder(*args, **kwargs))

    return described(send, "Client", builder)


class Client:
    """Sends requests to the service and waits for the answers; use it as a context, or close it.

    Its methods have the names and parameters of the functions in `service.client.calls`:
    similarity, one_to_many, matrix, rerank, trajectories and likelihoods. Each returns what the
    `Call` is of.

    Every method raises ApiError for an answer that is not a success, and NotReachedError if no
    answer came. It raises UnexpectedAnswerError for an answer that cannot be the service's, and
    InputError for one text in the place of a list, and for what JSON cannot carry. A client is of
    one process, and an AsyncClient of one event loop.

    Parameters
    ----------
    url
        Of the service. A final /v1, as clients of OpenAI have it, is left out.
    api_key
        Where the service needs one.
    timeout
        Seconds of each step of an attempt: to connect, to get an answer's head, and its rest.
    retries
        Attempts after the first.
    transport
        Of httpx, where connections need a proxy or certificates of one's own; by default
        neither is taken from the environment.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = 330.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        options = http_options(url, api_key, timeout, retries)
        reading = ReadingTransport(transport or httpx.HTTPTransport(), timeout)
        retrying = RetryTransport(reading, service_retry(retries))
        self._http = httpx.Client(**options, transport=retrying)
        self._attempts = retries + 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: open connections belong to one process."""
        raise TypeError("a client can be neither pickled nor copied; make one in each process")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    similarity = _method(similarity)
    one_to_many = _method(one_to_many)
    matrix = _method(matrix)
    rerank = _method(rerank)
    trajectories = _method(trajectories)
    likelihoods = _method(likelihoods)

    def ask(self, call: Call[Result]) -> Result:
        """Send a call, again where that helps, and return the value of its answer."""
        if self._http.is_closed:
            raise RuntimeError("this client was closed; make another one")
        try:
            response = self._http.post(call.path, content=content_of(call))
        except httpx.RequestError as error:
            raise not_reached(str(self._http.base_url), self._attempts, error) from error
        return result_of(call, response)
