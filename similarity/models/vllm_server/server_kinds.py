"""The two kinds of vLLM servers: those that generate, and those that pool."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from similarity.models.checks import Check, check_scores
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.address import ServerAddress
from similarity.models.vllm_server.background import Background
from similarity.models.vllm_server.identity import Identity, ServedName, same_model
from similarity.models.vllm_server.inspection import inspect, inspect_pooling
from similarity.models.vllm_server.model import ServerModel
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.pooled_states import EMBEDDINGS, PooledIdentity, same_states
from similarity.models.vllm_server.pooling_model import PoolingModel
from similarity.models.vllm_server.served import ServedModel
from similarity.models.vllm_server.vision_model import ServedVisionModel

I = TypeVar("I", bound=ServedName)  # noqa: E741  # of an identity

# What to do where the scores of a server depend on more than prefix and continuation.
ADVICE = "start the vLLM server with --no-enable-prefix-caching"


@dataclass(frozen=True, kw_only=True)
class ServerKind(Generic[I]):
    """How servers of one kind are examined and compared, and how a model is made of them.

    Parameters
    ----------
    examine
        Finds what the one server of a pool serves, with the checks of it.
    same
        Whether two servers hold one model.
    joined
        What all servers of one model can do.
    model
        Makes the model on the servers of a pool.
    checks
        The checks that need a `LanguageModel` only.
    lacks
        What a user is to know that the servers cannot do, and why; empty if nothing.
    """

    examine: Callable[[Pool, ServerAddress], Awaitable[tuple[I, list[Check]]]]
    same: Callable[[I, I], bool]
    joined: Callable[[Sequence[I]], I]
    model: Callable[[Background, Pool, I], ServedModel]
    checks: Callable[[ServedModel], Iterable[Check]]
    lacks: Callable[[I], str]


def _joined(found: Sequence[Identity]) -> Identity:
    return replace(
        min(found, key=lambda one: one.context_length),
        no_chosen=next(filter(None, (one.no_chosen for one in found)), ""),
        keeps_sampled=all(one.keeps_sampled for one in found),
        image_token=found[0].image_token if len({o.image_token for o in found}) == 1 else "",
        image_chosen=min(one.image_chosen for one in found),
    )


def _model(background: Background, pool: Pool, identity: Identity) -> ServerModel:
    kind = ServedVisionModel if identity.image_token else ServerModel
    return kind(background, pool, identity)


def _lacks(identity: Identity) -> str:
    if not identity.lacks:
        return ""
    return (
        f"{identity.lacks}, so the default "
        "preset is paper, and there is none of fast, meaning and best; serve the model by vLLM "
        "0.32 or later for those"
    )


GENERATING = ServerKind[Identity](
    examine=inspect,
    same=same_model,
    joined=_joined,
    model=_model,
    checks=partial(check_scores, advice=ADVICE),
    lacks=_lacks,
)
POOLING = ServerKind[PooledIdentity](
    examine=inspect_pooling,
    same=same_states,
    joined=lambda found: min(found, key=lambda one: one.context_length),
    model=PoolingModel,
    checks=lambda _model: (),
    lacks=lambda _identity: "",
)


async def kind_of(pool: Pool) -> ServerKind[Any]:
    """Return the kind of the one server of a pool, by the routes that it has.

    Raises
    ------
    BackendError
        If it does not answer.
    """
    await pool.request(wire.MODELS, wire.read_models)
    if await pool.offers(EMBEDDINGS) and not await pool.offers(wire.COMPLETIONS):
        return POOLING
    return GENERATING
