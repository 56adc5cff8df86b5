"""The client that is awaited."""

from asyncio import sleep
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from service.client.calls import (
    Call,
    Result,
    http_options,
    likelihoods_call,
    matrix_call,
    rerank_call,
    result_of,
    similarity_call,
    trajectories_call,
)
from service.client.retries import steps_of
from service.client.sync_client import DEFAULT_URL
from service.client.values import Matrix, Ranked, Score, Settings, Trajectory


class AsyncClient:
    """Asks the service and is awaited; use it as an asynchronous context, or close it.

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
        self._http = httpx.AsyncClient(**http_options(url, api_key, timeout), transport=transport)
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def similarity(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        explain: int = 0,
        interval: float | None = None,
        **settings: Unpack[Settings],
    ) -> list[Score]:
        """Return the score of each pair, with the `explain` most telling continuations.

        `interval` is the confidence of the interval that comes with each, as 0.95.
        """
        return await self._ask(
            similarity_call({"pairs": [list(p) for p in pairs]}, settings, explain, interval)
        )

    async def one_to_many(
        self,
        source: str,
        targets: Sequence[str],
        *,
        explain: int = 0,
        interval: float | None = None,
        **settings: Unpack[Settings],
    ) -> list[Score]:
        """Return the score of the source with each target."""
        body = {"source": source, "targets": list(targets)}
        return await self._ask(similarity_call(body, settings, explain, interval))

    async def matrix(
        self,
        rows: Sequence[str],
        columns: Sequence[str] | None = None,
        **settings: Unpack[Settings],
    ) -> Matrix:
        """Return the scores of all rows with all columns, or of the rows among themselves."""
        return await self._ask(matrix_call(rows, columns, settings))

    async def rerank(
        self, query: str, documents: Sequence[str], top_n: int | None = None
    ) -> list[Ranked]:
        """Return the documents by similarity to the query, the most similar first."""
        return await self._ask(rerank_call(query, documents, top_n))

    async def trajectories(
        self, texts: Sequence[str], **settings: Unpack[Settings]
    ) -> list[list[Trajectory]]:
        """Return the sampled continuations of each text."""
        return await self._ask(trajectories_call(texts, settings))

    async def likelihoods(
        self,
        texts: Sequence[str],
        continuations: Sequence[str | Sequence[int]],
        **settings: Unpack[Settings],
    ) -> list[list[float]]:
        """Return the log-likelihoods, "text continuation", in nats per token."""
        return await self._ask(likelihoods_call(texts, continuations, settings))

    async def _ask(self, call: Call[Result]) -> Result:
        steps = steps_of(self._retries)
        wait = next(steps)
        while True:
            try:
                if wait is None:
                    wait = steps.send(await self._attempt(call))
                else:
                    await sleep(wait)
                    wait = next(steps)
            except StopIteration as finished:
                return result_of(call, finished.value)

    async def _attempt(self, call: Call[Any]) -> httpx.Response | httpx.TransportError:
        try:
            return await self._http.post(call.path, json=call.body)
        except httpx.TransportError as error:
            return error
