"""The base of all models on vLLM servers: how texts are read, and how calls are run."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import anyio

from similarity.errors import BackendTimeoutError
from similarity.given import given_strings
from similarity.models.base import (
    LanguageModel,
    ModelInfo,
    OnProgress,
    TokenIds,
    ignore_progress,
)
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.background import Background
from similarity.models.vllm_server.config import ENVIRONMENT_PREFIX
from similarity.models.vllm_server.gathering import gather
from similarity.models.vllm_server.identity import ServedName
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.texts import ServedTexts
from similarity.printable import printable

T = TypeVar("T")
Work = Callable[[OnProgress], Awaitable[T]]


class ServedModel(LanguageModel):
    """A model on vLLM servers; close it, or leave it to the process.

    Any number of threads may use it at once.
    """

    zero_is_progress = False

    def __init__(
        self,
        background: Background,
        pool: Pool,
        served: ServedName,
        revision: str,
        texts: ServedTexts,
    ) -> None:
        # A path is a machine's own; a name with an owner is not.
        name, shown = served.name, printable(served.name)
        self.info = ModelInfo(
            name=shown.rstrip("/").rpartition("/")[2] if shown.startswith("/") else shown,
            revision=revision,
            dtype="served",
            context_length=served.context_length,
        )
        # What a server adds to a text. It does not say which tokens end what it samples, and those
        # that have ended a sample are not added: scores would depend on what was sampled before.
        self.end_ids = frozenset(served.end)
        self._name = name
        self._background = background
        self._pool = pool
        self._texts = texts

    def answered_at(self) -> float:
        """Return when a server last gave what it had computed, by `time.monotonic`."""
        return self._pool.computed_at

    def close(self) -> None:
        """Close all connections."""
        self._background.close()

    def encode(self, text: str) -> TokenIds:
        """Return the server's ids.

        Raises
        ------
        InputError
            If the text spells a special token, which the server would read as one.
        """
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return what `encode` does for each text, by many requests at a time."""
        calls = [partial(self._texts.encode, text) for text in given_strings(texts)]
        return self._run(lambda _: gather(calls, self._pool.workers))

    def encode_continuation(self, text: str) -> TokenIds:
        """Return the server's ids of a text that follows another, without begin and end."""
        return self._run(lambda _: self._texts.encode_continuation(text))

    def check_alive(self) -> None:
        """Raise BackendUnavailableError if no server answers."""
        self._run(lambda _: self._pool.check_alive())

    def changes(self) -> int:
        """Return how often a server was found to have another model than at loading."""
        return self._pool.roster.changes

    def decode(self, token_ids: TokenIds) -> str:
        """Return the server's text of ids, without those that end a sequence."""
        kept = [token for token in token_ids if token not in self.end_ids]
        body = {"model": self._name, "tokens": kept}
        return self._run(lambda _: self._pool.request(wire.DETOKENIZE, wire.read_text, body))

    def _run(self, work: Work[T], on_progress: OnProgress = ignore_progress) -> T:
        """Return the result of `work` if it has one within the time for a call."""
        limit = self._pool.config.call_timeout

        async def within_limit(count: OnProgress) -> T:
            try:
                with anyio.fail_after(limit):
                    return await work(count)
            except TimeoutError as error:
                raise BackendTimeoutError(
                    f"the servers of {self._name!r} did not finish within {limit:g} s; "
                    f"raise {ENVIRONMENT_PREFIX}CALL_TIMEOUT, or send less at a time"
                ) from error

        return self._background.run(within_limit, on_progress)
