"""Joins the work of concurrent requests into calls of the model: micro-batching, in one thread.

The invariant: every unit of work is in exactly one place. It waits in its client's line, or it is
in the call being made, or its future is done. A client that is cancelled has all its futures done
and an empty line at once; what a running call still finds for it goes to the cache alone.
"""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import InvalidStateError
from contextlib import suppress
from typing import Protocol

from service.cache import Answer, Cache, Stage
from service.errors import AWAY
from service.logs import places
from service.units import Batch, Client, EmbedRequest, Request, Unit
from similarity.errors import BackendUnavailableError, UnsupportedError
from similarity.law import Law
from similarity.models.base import Advance, LanguageModel, SampleRequest, ScoreRequest
from similarity.vectors.meaning import MeaningVectors

logger = logging.getLogger(__name__)


class AbandonedError(Exception):
    """Nobody waits any more for what a call would give: it is ended."""


class Observer(Protocol):
    """Is told of every call of the model."""

    def call_began(self) -> None:
        """Learn that a call of the model begins."""

    def call_ended(self, stage: Stage, units: int, tokens: int, error: Exception | None) -> None:
        """Learn how a call has ended; `units` is the number of parts joined in it."""


class Scheduler:
    """Makes the calls of one model, fair between clients, each of a bounded number of tokens.

    Parameters
    ----------
    batch_tokens
        Of one call; a single unit that has more goes alone.
    vectors
        What gives meaning vectors; without it no unit may ask for them.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        batch_tokens: int,
        cache: Cache,
        observer: Observer,
        vectors: MeaningVectors | None = None,
    ) -> None:
        self._model = model
        self._vectors = vectors
        self._batch_tokens = batch_tokens
        self._cache = cache
        self._observer = observer
        self._clients: dict[Client, None] = {}
        self._batch = Batch()
        self._changed = threading.Condition()
        self._end: Exception | None = None
        # Stands where the least served client stood last, so that who comes waits no longer
        # and no shorter than who is there.
        self._clock = 0.0
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, client: Client, units: Sequence[Unit]) -> None:
        """Put units in the line of a client that has none; their futures tell what comes."""
        with self._changed:
            if (error := client.error or self._end) is not None:
                _fail(units, error)
                return
            client.served = max(client.served, self._clock)
            client.submitted = units
            client.line.extend(units)
            self._clients[client] = None
            self._changed.notify()

    def cancel(self, client: Client, error: Exception) -> None:
        """Take a client's units out of all lines; those that wait for them get the error."""
        with self._changed:
            client.error = client.error or error
            self._clients.pop(client, None)
            client.line.clear()
            _fail(client.submitted, error)

    def cancel_all(self, error: Exception) -> None:
        """Cancel every client that has units waiting or in the call being made."""
        with self._changed:
            for client in [*self._clients, *(client for client, _ in self._batch)]:
                self.cancel(client, error)

    def waiting(self) -> int:
        """Return the number of units in all lines."""
        with self._changed:
            return sum(len(client.line) for client in self._clients)

    def close(self, patience: float) -> None:
        """End the thread after the call it is in, or give up on it after `patience` seconds."""
        with self._changed:
            self._end = BackendUnavailableError("the service is going down")
            self._changed.notify()
            self.cancel_all(self._end)
        self._thread.join(patience)

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            try:
                self._serve(batch)
            except Exception as error:  # whatever happens, nobody may wait for ever
                facts = {"error": type(error).__name__, "at": places(error)}
                logger.error("a batch failed in the scheduler itself", extra=facts)
                _fail((unit for _, unit in batch), error)
            finally:
                self._batch = Batch()

    def _take(self) -> Batch | None:
        """Wait for work; return the units of the next call, or None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._end or self._clients)
            if self._end is not None:
                return None
            self._batch = batch = Batch()
            tokens = 0
            while (client := self._next_client(batch)) is not None:
                unit = client.line[0]
                if batch and tokens + unit.tokens > self._batch_tokens:
                    break
                batch.append((client, client.line.popleft()))
                tokens += unit.tokens
                client.served += unit.tokens
                unit.began = time.monotonic()
                if not client.line:
                    del self._clients[client]
            return batch

    def _next_client(self, batch: Batch) -> Client | None:
        """Return the least served client whose next unit can join the batch."""
        first = batch[0][1] if batch else None
        fitting = [
            client
            for client in self._clients
            if first is None
            or (client.line[0].stage, client.line[0].law) == (first.stage, first.law)
        ]
        if not fitting:
            return None
        client = min(fitting, key=lambda client: (not client.urgent, client.served))
        if first is None and not client.urgent:
            self._clock = max(self._clock, client.served)
        return client

    def _serve(self, batch: Batch) -> None:
        """Answer a batch with one call; where it fails, each client's part with one of its own.

        So what one client asks cannot fail another, and a dead backend is asked only once.
        """
        try:
            self._call([unit for _, unit in batch])
        except AbandonedError:
            return
        except Exception as error:
            clients = list(dict.fromkeys(client for client, _ in batch))
            for client in clients:
                if len(clients) == 1 or isinstance(error, AWAY):
                    self.cancel(client, error)
                else:
                    self._serve(Batch(part for part in batch if part[0] is client))

    def _call(self, units: Sequence[Unit]) -> None:
        """Ask the model once, for what the cache has not learned since, and hand it out."""
        needed: dict[object, Unit] = {}
        for unit in units:
            known = self._cache.recall(unit.stage, unit.keys)
            if known is not None:
                _fulfil(unit, known)
            if not unit.future.done():
                needed.setdefault(unit.keys or unit, unit)
        if not needed:
            return
        found = self._ask(list(needed.values()), for_units=units)
        answers = dict(zip(needed, found, strict=True))
        for name, answer in answers.items():
            self._cache.learn(needed[name].stage, needed[name].keys, answer)
        for unit in units:
            if (unit.keys or unit) in answers:
                _fulfil(unit, answers[unit.keys or unit])

    def _ask(self, units: Sequence[Unit], for_units: Sequence[Unit]) -> Sequence[Answer]:
        """Make one call; end it when none of `for_units` is waited for any more."""
        first = units[0]
        tokens = sum(unit.tokens for unit in units)
        problem: Exception | None = None

        def heed(_finished: int) -> None:
            if all(unit.future.done() for unit in for_units):
                raise AbandonedError

        self._observer.call_began()
        try:
            return self._answers([unit.request for unit in units], first.law, heed)
        except Exception as error:
            problem = error
            raise
        finally:
            self._observer.call_ended(first.stage, len(units), tokens, problem)

    def _answers(self, requests: Sequence[Request], law: Law, advance: Advance) -> Sequence[Answer]:
        """Return the model's answers to requests, which are all of one kind."""
        sampled = [request for request in requests if isinstance(request, SampleRequest)]
        if sampled:
            return self._model.sample(sampled, law, advance)
        scored = [request for request in requests if isinstance(request, ScoreRequest)]
        if scored:
            return self._model.score(scored, law, advance)
        embedded = [request for request in requests if isinstance(request, EmbedRequest)]
        return self._embed(embedded, advance)

    def _embed(self, requests: Sequence[EmbedRequest], advance: Advance) -> Sequence[Answer]:
        if self._vectors is None:
            raise UnsupportedError("the scheduler was made without meaning vectors")
        found: dict[EmbedRequest, Answer] = {}
        for groups in dict.fromkeys(request.groups for request in requests):
            some = [request for request in requests if request.groups == groups]
            texts = [request.text for request in some]
            rows = self._vectors.only(*groups).encode(texts, advance=advance)
            found |= {request: [row] for request, row in zip(some, rows, strict=True)}
        return [found[request] for request in requests]


def _fail(units: Iterable[Unit], error: Exception) -> None:
    for unit in units:
        # A client that leaves and a call that ends may meet; whoever is first is right.
        with suppress(InvalidStateError):
            unit.future.set_exception(error)


def _fulfil(unit: Unit, answer: Answer) -> None:
    with suppress(InvalidStateError):
        unit.future.set_result(answer)
