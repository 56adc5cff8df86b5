"""Checks of one server, made before any of its scores is used."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from similarity.errors import BackendRefusedError, ModelError, WrongAnswerError
from similarity.law import Law
from similarity.models.base import SampleRequest, TokenIds
from similarity.models.checks import Check
from similarity.models.gaps import worst_gap
from similarity.models.vllm_server import values, wire
from similarity.models.vllm_server.address import ServerAddress
from similarity.models.vllm_server.chosen import check_chosen
from similarity.models.vllm_server.identity import Identity, identify, score_prompts
from similarity.models.vllm_server.image_check import check_images
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.pooled_states import (
    PooledIdentity,
    identify_pooling,
    request_states,
)
from similarity.models.vllm_server.sampled import check_copies
from similarity.models.vllm_server.sampled_law import (
    LEAST_ODDS,
    TOP,
    Places,
    likelier_law,
    read_places,
)
from similarity.models.vllm_server.scoring import read_top_mass, scoring_body
from similarity.models.vllm_server.wire import Prompt, Sample
from similarity.models.walks import check_pooled, check_repeated

# How a server that pools must be started.
POOLER = """--pooler-config '{"seq_pooling_type": "LAST", "use_activation": false}'"""
# Samples whose tokens are scored too.
SCORED = 4
_CACHING = re.compile(r'^vllm:cache_config_info\{.*enable_prefix_caching="(\w+)"', re.MULTILINE)


# Nats by which sampled and scored tokens may differ for one to stand for the other: as in
# this process, the rounding of single precision.
SAME = 1e-4


async def inspect(pool: Pool, address: ServerAddress) -> tuple[Identity, list[Check]]:
    """Return what a server serves and can do, and the checks that need more than a `LanguageModel`.

    Parameters
    ----------
    pool
        Of one server.
    """
    url, identity = pool.replicas[0].url, await identify(pool, address)
    keeps_sampled, sampled = await _check_sampled(pool, identity, url)
    no_chosen, chosen = await check_chosen(pool, identity)
    seeing, images = await check_images(pool, identity)
    profiles = "no profiles" if no_chosen else "profiles of chosen tokens"
    checks = [
        _check_model(identity, address, url),
        Check("tokenizer", f"{identity.tokenizer}, begins with {list(identity.begin)}"),
        Check("offers", f"it generates: samples and scores of continuations, {profiles}"),
        _check_caching(await pool.metrics(), url),
        await _check_mass(pool, identity, url),
        sampled,
        chosen,
        images,
    ]
    return replace(seeing, no_chosen=no_chosen, keeps_sampled=keeps_sampled), checks


def _check_model(served: Identity | PooledIdentity, address: ServerAddress, url: str) -> Check:
    """Check that a server has the revision of its model that the address names, if it does."""
    found = f"{served.name}, {served.context_length} tokens, {served.revision}"
    error: ModelError | None = None
    if address.revision not in (None, served.revision):
        error = BackendRefusedError(
            f"{url} serves {served.name!r} as {served.revision}, not {address.revision}; "
            "serve that one, or leave out what follows the @"
        )
    return Check("served model", found, error)


def _check_caching(metrics: str, url: str) -> Check:
    caching = _CACHING.search(metrics)
    if caching is None:
        return Check("prefix cache", "unknown")
    if caching[1] == "False":
        return Check("prefix cache", "off")
    error = BackendRefusedError(
        f"{url} runs with a prefix cache, with which scores may depend on the order of requests; "
        "start it with --no-enable-prefix-caching"
    )
    return Check("prefix cache", "on", error)


async def _check_mass(pool: Pool, identity: Identity, url: str) -> Check:
    """Check that the most probable tokens have no more than all the probability."""
    prompt = identity.probe
    mass = await pool.request(
        wire.COMPLETIONS,
        lambda answer: read_top_mass(answer, prompt),
        scoring_body(identity.name, [prompt], top=TOP),
    )
    found = f"the {TOP} most probable tokens have {mass:.3f} of it at most"
    error = None
    if not mass <= values.MOST_MASS:  # or it is NaN
        error = WrongAnswerError(
            f"{url} gives no log-probabilities: {found}; start it without --logprobs-mode"
        )
    return Check("probability", found, error)


async def _check_sampled(pool: Pool, identity: Identity, url: str) -> tuple[bool, Check]:
    """Check that tokens are sampled from the law that they are scored under."""
    prefix = identity.probe.prefix + identity.probe.continuation[:8]
    sampled, places = await _samples(pool, identity, prefix)
    some = sampled[:SCORED]
    scored = await score_prompts(
        pool, identity.name, [Prompt(prefix, sample.token_ids) for sample in some]
    )
    own = [sample.log_probs for sample in some if sample.log_probs is not None]
    worst = worst_gap([own], [scored])
    same = max(np.abs(a - b).max() for a, b in zip(own, scored, strict=True)) <= SAME
    law, odds = likelier_law(places)
    use = "kept" if same else "own trajectories are scored again"
    found = f"sampled and scored, they differ by {worst}: {use}"
    error = None
    if not worst.is_rounding:
        error = WrongAnswerError(
            f"{url} gives sampled tokens other log-probabilities than it scores: they differ by "
            f"{worst}, and {worst.advice(values.OWN_LAW)}"
        )
    elif odds > math.log(LEAST_ODDS):
        found = f"{len(places.ranks)} tokens are {odds:.0f} nats likelier {law}"
        error = WrongAnswerError(
            f"{url} samples from another law than it was asked for: {found}; {values.OWN_LAW}"
        )
    else:
        # After the laws: samples of a narrower one are often equal.
        error = _refused_copies(sampled, url)
    return same, Check("sampling", found, error)


def _refused_copies(sampled: Sequence[Sample], url: str) -> WrongAnswerError | None:
    try:
        check_copies(sampled)
    except WrongAnswerError as error:
        return WrongAnswerError(f"{url} {error}")
    return None


async def _samples(pool: Pool, identity: Identity, prefix: TokenIds) -> tuple[list[Sample], Places]:
    """Return samples of a prefix, and what is listed at their tokens."""
    request = SampleRequest(prefix=prefix, n=64, max_tokens=8, key=1)

    def read(answer: Any) -> tuple[list[Sample], Places]:
        samples = wire.read_samples(answer, request, log_probs=True)
        return samples, read_places(wire.choices_of(answer, request.n), samples)

    body = wire.sampling_body(identity.name, request, Law(), log_probs=True)
    return await pool.request(wire.COMPLETIONS, read, {**body, "logprobs": TOP})


async def inspect_pooling(pool: Pool, address: ServerAddress) -> tuple[PooledIdentity, list[Check]]:
    """Return what a server that pools serves, and its checks; `pool` has this server only."""
    url, identity = pool.replicas[0].url, await identify_pooling(pool, address)

    def refused(what: str) -> ModelError:
        return BackendRefusedError(f"{url} {what}; start it with {POOLER}")

    return identity, [
        _check_model(identity, address, url),
        Check("tokenizer", f"{identity.tokenizer}, begins with {list(identity.begin)}"),
        *check_pooled(identity.walk, refused),
        await _check_repeated(pool, identity, url),
    ]


async def _check_repeated(pool: Pool, identity: PooledIdentity, url: str) -> Check:
    backwards = await request_states(pool, identity.name, identity.beginnings[::-1])
    alone = await request_states(pool, identity.name, identity.beginnings[-1:])

    def refused(what: str) -> ModelError:
        cure = "start it with --no-enable-prefix-caching, or use another dtype"
        return WrongAnswerError(f"{url} {what}; {cure}")

    return check_repeated(identity.walk, backwards, alone, refused)
