"""The client that is awaited."""

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, NoReturn, ParamSpec, Self

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
from service.client.reading import AsyncReadingTransport
from service.client.retries import service_retry
from service.client.sync_client import DEFAULT_URL

P = ParamSpec("P")


def _method(
    builder: Callable[P, Call[Result]],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, Result]]:
    async def send(client: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return await client.ask(builder(*args, **kwargs))

    return described(send, "AsyncClient", builder)


class AsyncClient:
    """Sends requests to the service and is awaited; use it as an asynchronous context, or close it.

    Parameters, methods and errors are those of `Client`.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = 330.0,
        retries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        options = http_options(url, api_key, timeout, retries)
        reading = AsyncReadingTransport(transport or httpx.AsyncHTTPTransport(), timeout)
        retrying = RetryTransport(reading, service_retry(retries))
        self._http = httpx.AsyncClient(**options, transport=retrying)
        self._attempts = retries + 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: open connections belong to one process."""
        raise TypeError("a client can be neither pickled nor copied; make one in each process")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    similarity = _method(similarity)
    one_to_many = _method(one_to_many)
    matrix = _method(matrix)
    rerank = _method(rerank)
    trajectories = _method(trajectories)
    likelihoods = _method(likelihoods)

    async def ask(self, call: Call[Result]) -> Result:
        """Send a call, again where that helps, and return the value of its answer."""
        if self._http.is_closed:
            raise RuntimeError("this client was closed; make another one")
        try:
            response = await self._http.post(call.path, content=content_of(call))
        except httpx.RequestError as error:
            raise not_reached(str(self._http.base_url), self._attempts, error) from error
        except RuntimeError as error:
            # Of a connection whose event loop has ended, or is another.
            raise RuntimeError(
                f"an AsyncClient sends in one event loop alone; make one in each ({error})"
            ) from error
        return result_of(call, response)
