"""The client that waits for its answers."""

from collections.abc import Sequence
from time import sleep
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
from service.client.values import Matrix, Ranked, Score, Settings, Trajectory

DEFAULT_URL = "http://127.0.0.1:8000"


class Client:
    """Asks the service and waits for its answer; use it as a context, or close it.

    Parameters
    ----------
    url
        Of the service.
    api_key
        Where the service asks for one.
    timeout
        Seconds for one attempt.
    retries
        Attempts after the first.
    transport
        Of httpx, for tests.

    Every method raises ApiError for an answer that is not a success, and NotReachedError if no
    answer came.
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
        self._http = httpx.Client(**http_options(url, api_key, timeout), transport=transport)
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def similarity(
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
        return self._ask(
            similarity_call({"pairs": [list(p) for p in pairs]}, settings, explain, interval)
        )

    def one_to_many(
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
        return self._ask(similarity_call(body, settings, explain, interval))

    def matrix(
        self,
        rows: Sequence[str],
        columns: Sequence[str] | None = None,
        **settings: Unpack[Settings],
    ) -> Matrix:
        """Return the scores of all rows with all columns, or of the rows among themselves."""
        return self._ask(matrix_call(rows, columns, settings))

    def rerank(
        self, query: str, documents: Sequence[str], top_n: int | None = None
    ) -> list[Ranked]:
        """Return the documents by similarity to the query, the most similar first."""
        return self._ask(rerank_call(query, documents, top_n))

    def trajectories(
        self, texts: Sequence[str], **settings: Unpack[Settings]
    ) -> list[list[Trajectory]]:
        """Return the sampled continuations of each text."""
        return self._ask(trajectories_call(texts, settings))

    def likelihoods(
        self,
        texts: Sequence[str],
        continuations: Sequence[str | Sequence[int]],
        **settings: Unpack[Settings],
    ) -> list[list[float]]:
        """Return the log-likelihoods, "text continuation", in nats per token."""
        return self._ask(likelihoods_call(texts, continuations, settings))

    def _ask(self, call: Call[Result]) -> Result:
        steps = steps_of(self._retries)
        wait = next(steps)
        while True:
            try:
                if wait is None:
                    wait = steps.send(self._attempt(call))
                else:
                    sleep(wait)
                    wait = next(steps)
            except StopIteration as finished:
                return result_of(call, finished.value)

    def _attempt(self, call: Call[Any]) -> httpx.Response | httpx.TransportError:
        try:
            return self._http.post(call.path, json=call.body)
        except httpx.TransportError as error:
            return error
