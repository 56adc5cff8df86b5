"""The two kinds of vLLM servers: those that generate, and those that pool."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from similarity.models.checks import Check, check_scores
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.background import Background
from similarity.models.vllm_server.config import ServerAddress
from similarity.models.vllm_server.identity import Identity, ServedName, identify, same_model
from similarity.models.vllm_server.inspection import inspect
from similarity.models.vllm_server.model import ServerModel
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.pooled_states import (
    EMBEDDINGS,
    PooledIdentity,
    identify_pooling,
    same_states,
)
from similarity.models.vllm_server.pooling_checks import inspect_pooling
from similarity.models.vllm_server.pooling_model import PoolingModel
from similarity.models.vllm_server.served import ServedModel
from similarity.models.vllm_server.vision_model import ServedVisionModel

I = TypeVar("I", bound=ServedName)  # noqa: E741  # of an identity

# What to do where the scores of a server depend on more than prefix and continuation.
ADVICE = "start the vLLM server with --no-enable-prefix-caching, or use another dtype"


class ServerKind(ABC, Generic[I]):
    """How servers of one kind are known, checked, and made a model of."""

    @abstractmethod
    async def examine(self, pool: Pool, address: ServerAddress) -> tuple[I, list[Check]]:
        """Return what the one server of a pool serves, and what was checked of it."""

    @abstractmethod
    def same(self, first: I, second: I) -> bool:
        """Tell whether two servers hold one model."""

    @abstractmethod
    def joined(self, found: Sequence[I]) -> I:
        """Return what all servers of one model can do."""

    @abstractmethod
    def model(self, background: Background, pool: Pool, identity: I) -> ServedModel:
        """Return the model on the servers of a pool."""

    def checks(self, _model: ServedModel) -> Iterator[Check]:
        """Yield the checks that the seam of a model is enough for."""
        yield from ()


class Generating(ServerKind[Identity]):
    """Servers that sample and score continuations."""

    async def examine(self, pool: Pool, address: ServerAddress) -> tuple[Identity, list[Check]]:
        """Return what the one server of a pool serves, and what was checked of it."""
        return await inspect(pool, await identify(pool, address), address)

    def same(self, first: Identity, second: Identity) -> bool:
        """Tell whether two servers hold one model."""
        return same_model(first, second)

    def joined(self, found: Sequence[Identity]) -> Identity:
        """Return what all servers of one model can do."""
        return replace(
            min(found, key=lambda one: one.context_length),
            tells_chosen=all(one.tells_chosen for one in found),
            keeps_sampled=all(one.keeps_sampled for one in found),
            image_token=found[0].image_token if len({o.image_token for o in found}) == 1 else "",
            image_chosen=min(one.image_chosen for one in found),
        )

    def model(self, background: Background, pool: Pool, identity: Identity) -> ServerModel:
        """Return the model on the servers of a pool."""
        kind = ServedVisionModel if identity.image_token else ServerModel
        return kind(background, pool, identity)

    def checks(self, model: ServedModel) -> Iterator[Check]:
        """Yield the checks of scores."""
        yield from check_scores(model, ADVICE)


class Pooling(ServerKind[PooledIdentity]):
    """Servers that give states."""

    async def examine(
        self, pool: Pool, address: ServerAddress
    ) -> tuple[PooledIdentity, list[Check]]:
        """Return what the one server of a pool serves, and what was checked of it."""
        identity = await identify_pooling(pool, address)
        return identity, await inspect_pooling(pool, identity, address)

    def same(self, first: PooledIdentity, second: PooledIdentity) -> bool:
        """Tell whether two servers hold one model."""
        return same_states(first, second)

    def joined(self, found: Sequence[PooledIdentity]) -> PooledIdentity:
        """Return what all servers of one model can do."""
        return min(found, key=lambda one: one.context_length)

    def model(self, background: Background, pool: Pool, identity: PooledIdentity) -> PoolingModel:
        """Return the model on the servers of a pool."""
        return PoolingModel(background, pool, identity)


GENERATING, POOLING = Generating(), Pooling()


async def kind_of(pool: Pool) -> ServerKind[Any]:
    """Find out of which kind the one server of a pool is, by the routes that it has.

    Raises
    ------
    BackendError
        If it does not answer.
    """
    await pool.ask(wire.MODELS, wire.read_models)
    if await pool.offers(EMBEDDINGS) and not await pool.offers(wire.COMPLETIONS):
        return POOLING
    return GENERATING
