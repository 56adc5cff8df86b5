"""A language model whose copies are on the workers of a cluster: for whatever needs a model.

Requests are cut into parts of a fixed size, so that answers do not depend on the number of workers.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from similarity.arrays import LogProbs, Rows
from similarity.distributed.cluster import Cluster, connect, place_workers
from similarity.distributed.fingerprints import check_same
from similarity.distributed.pool import Call, Pool, start_workers
from similarity.given import given_strings
from similarity.law import Law
from similarity.models.base import (
    Ability,
    Continuation,
    LanguageModel,
    ModelInfo,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.loader import LoadOptions, load_model
from similarity.models.memory import keep_large_buffers
from similarity.models.top import TopTokens
from similarity.slices import slices
from similarity.version import __version__

Method = TypeVar("Method", bound=Callable[..., Any])

# Requests of one call: enough to fill a batch of a model, few enough to keep all workers busy.
CALL_REQUESTS = 64
# So many workers may be lost with the same call.
LOSSES = 3


@dataclass(frozen=True)
class Described:
    """The attributes of the model that a worker has loaded."""

    info: ModelInfo
    end_ids: frozenset[int]
    vocab_size: int | None
    assets: Path | None
    abilities: frozenset[Ability]


class ModelReplica:
    """One model on one worker, loaded when it is first needed, again after a restart elsewhere."""

    def __init__(self, name: str, options: LoadOptions) -> None:
        self._name, self._options = name, options

    def fingerprint(self) -> dict[str, Any]:
        """Return all that this worker's numbers depend on."""
        return {"version": __version__, "model": asdict(self._model.info)}

    def describe(self) -> Described:
        """Return the attributes of the model."""
        model = self._model
        return Described(model.info, model.end_ids, model.vocab_size, model.assets, model.abilities)

    def call(self, method: str, arguments: Sequence[Any], expected: dict[str, Any]) -> Any:
        """Call a method of the model, and return its result.

        Raises
        ------
        BackendRefusedError
            If this worker has another version or model than that.
        """
        check_same(self.fingerprint(), expected)
        return getattr(self._model, method)(*arguments)

    @cached_property
    def _model(self) -> LanguageModel:
        keep_large_buffers()
        return load_model(self._name, self._options)


@dataclass(frozen=True)
class ModelCall(Call):
    """A method of a model with its arguments; `number` is its place among others."""

    method: str
    arguments: tuple[Any, ...]
    number: int = 0
    losses: int = 0

    def send(self, worker: Any, fingerprint: dict[str, Any]) -> Any:
        """Have a worker call the method; return Ray's reference to the answer."""
        return worker.call.remote(self.method, self.arguments, fingerprint)

    def after_loss(self) -> "ModelCall | None":
        """Return the same call, or None if more than `LOSSES` workers were lost with it."""
        return replace(self, losses=self.losses + 1) if self.losses < LOSSES else None

    def describe(self) -> str:
        """Return the method and its number."""
        return f"part {self.number} of {self.method}"


def _on_one_worker(method: Method) -> Method:
    """Return a method that calls the one of the same name on the model of one worker."""

    def call(model: "DistributedModel", *arguments: Any) -> Any:
        return model.call_one(method.__name__, *arguments)

    return cast(Method, wraps(method, updated=())(call))


class DistributedModel(LanguageModel):
    """A model on all workers of a cluster.

    Close it to leave the cluster.

    Raises
    ------
    ConfigError, BackendError, MissingDependencyError
        As `similarity.distributed.cluster` does.
    ModelError
        If a worker cannot load the model.
    """

    def __init__(self, cluster: Cluster, name: str, options: LoadOptions) -> None:
        self._ray = connect(cluster)
        try:
            placement = place_workers(cluster, self._ray)
            workers = start_workers(self._ray, placement, ModelReplica, name, options)
            self._pool = Pool[ModelCall](self._ray, workers)
            found: Described = self._ray.get(workers[0].describe.remote())
        except BaseException:
            self._ray.shutdown()
            raise
        self.info, self.end_ids, self.vocab_size = found.info, found.end_ids, found.vocab_size
        self.assets, self.abilities = found.assets, found.abilities

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()

    encode = _on_one_worker(LanguageModel.encode)
    encode_continuation = _on_one_worker(LanguageModel.encode_continuation)
    decode = _on_one_worker(LanguageModel.decode)
    check_scoring = _on_one_worker(LanguageModel.check_scoring)
    output_head = _on_one_worker(LanguageModel.output_head)

    def encode_all(self, texts: Sequence[str]) -> list[TokenIds]:
        """Encode all texts on one worker, as tokenizing is quick."""
        texts = given_strings(texts)
        ids: list[TokenIds] = self.call_one("encode_all", texts) if texts else []
        return ids

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample on all workers."""
        return self._all("sample", requests, lambda part: (part, law), on_progress)

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score on all workers."""
        return self._all("score", requests, lambda part: (part, law), on_progress)

    def distributions(self, requests: Sequence[ScoreRequest], law: Law) -> list[list[Rows]]:
        """Read on all workers."""
        return self._all("distributions", requests, lambda part: (part, law))

    def top_distributions(
        self, requests: Sequence[ScoreRequest], law: Law, k: int
    ) -> list[list[TopTokens]]:
        """Read on all workers, where the most probable tokens are taken."""
        return self._all("top_distributions", requests, lambda part: (part, law, k))

    def hidden_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> list[Rows]:
        """Read on all workers."""
        return self._all("hidden_states", prefixes, lambda part: (part,), on_progress)

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        """Read on all workers."""
        if not prefixes:
            nothing: Rows = self.call_one("next_states", [])
            return nothing
        return np.stack(self._all("next_states", prefixes, lambda part: (part,), on_progress))

    def next_log_probs(
        self,
        prefixes: Sequence[TokenIds],
        token_ids: Sequence[int],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Read on all workers, where the columns are chosen."""
        if not prefixes:
            nothing: Rows = self.call_one("next_log_probs", [], token_ids)
            return nothing
        return np.stack(
            self._all("next_log_probs", prefixes, lambda part: (part, token_ids), on_progress)
        )

    def call_one(self, method: str, *arguments: Any) -> Any:
        """Call a method of the model on one worker, and return its answer."""
        ((_, answer),) = self._pool.run([ModelCall(method, arguments)])
        return answer

    def _all(
        self,
        method: str,
        requests: Sequence[Any],
        arguments: Callable[[Sequence[Any]], tuple[Any, ...]],
        on_progress: OnProgress = ignore_progress,
    ) -> list[Any]:
        """Cut requests into parts, call the method for each, and return all answers in order."""
        calls = [
            ModelCall(method, arguments(list(some)), number)
            for number, some in enumerate(slices(requests, CALL_REQUESTS))
        ]
        answers: dict[int, Sequence[Any]] = {}
        for call, answer in self._pool.run(calls):
            answers[call.number] = answer
            on_progress(len(answer))
        return [one for number in range(len(calls)) for one in answers[number]]
