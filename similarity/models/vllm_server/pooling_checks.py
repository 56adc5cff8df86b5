"""What is checked of a server that pools before any state of it is believed."""

import numpy as np

from similarity.errors import BackendRefusedError, ModelError, WrongAnswerError
from similarity.models.checks import STATE_TOLERANCE, Check, worst_drift
from similarity.models.vllm_server.config import ServerAddress
from similarity.models.vllm_server.inspection import check_model
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.pooled_states import PooledIdentity, ask_states

# How a server must be started.
POOLER = """--pooler-config '{"seq_pooling_type": "LAST", "use_activation": false}'"""
# By how much lengths of states differ from 1 where they were made 1, in half precision.
LENGTH_ROUNDING = 0.005
# A mean over n tokens moves by a part of n with each. Where the last quarter of a text moves the
# state by less than this part of what the first quarter does, it is such a mean.
FADING = 0.4
# Below this part of a state's length a token does not move it.
STILL = 1e-3


async def inspect_pooling(
    pool: Pool, identity: PooledIdentity, address: ServerAddress
) -> list[Check]:
    """Return the checks of a server that pools; `pool` has that one alone."""
    url = pool.replicas[0].url
    width = identity.walk.shape[1]
    return [
        check_model(identity, identity.revision, address, url),
        Check("tokenizer", f"{identity.tokenizer}, begins with {list(identity.begin)}"),
        Check(
            "offers",
            f"it pools: presets fast, meaning and best by states of {width} numbers, without "
            "words; no samples or scores of continuations",
        ),
        _check_lengths(identity, url),
        _check_pooler(identity, url),
        await _check_repeated(pool, identity, url),
    ]


def _check_lengths(identity: PooledIdentity, url: str) -> Check:
    """Check that states are as long as they are, which tells how far texts are from the usual."""
    lengths = np.linalg.norm(identity.walk, axis=1)
    found = f"from {lengths.min():.4g} to {lengths.max():.4g}"
    error: ModelError | None = None
    if np.abs(lengths - 1).max() < LENGTH_ROUNDING:
        error = BackendRefusedError(
            f"{url} makes all states of length 1, and their length carries meaning; start it "
            f"with {POOLER}"
        )
    return Check("lengths of states", found, error)


def _check_pooler(identity: PooledIdentity, url: str) -> Check:
    """Check that a state is that of the last token: each token moves it as much as any before."""
    walk = identity.walk.astype(np.float64)
    moves = np.linalg.norm(np.diff(walk, axis=0), axis=1)
    quarter = max(1, len(moves) // 4)
    early, late = float(np.median(moves[:quarter])), float(np.median(moves[-quarter:]))
    length = float(np.linalg.norm(walk, axis=1).mean())
    found = f"early tokens move the state by {early / length:.2g} of its length, late ones by "
    found += f"{late / length:.2g}"
    what: str | None = None
    if late < STILL * length:
        what = "gives states that later tokens do not move"
    elif late < FADING * early:
        what = "gives means over all tokens"
    if what is None:
        return Check("pooled token", f"the last; {found}")
    error = BackendRefusedError(
        f"{url} {what}, and states of the last token are needed; start it with {POOLER}"
    )
    return Check("pooled token", found, error)


async def _check_repeated(pool: Pool, identity: PooledIdentity, url: str) -> Check:
    """Check that states depend on nothing but their tokens."""
    name, last = "states again, in another order, one at a time", identity.walk[-1:]
    backwards = await ask_states(pool, identity.name, identity.beginnings[::-1])
    alone = await ask_states(pool, identity.name, identity.beginnings[-1:])
    worst = max(worst_drift(backwards[::-1], identity.walk), worst_drift(alone, last))
    found = f"they differ by {worst:.2g} of their length"
    error = None
    if worst > STATE_TOLERANCE:
        error = WrongAnswerError(
            f"{url} gives a text other states beside other texts: {found}; start it with "
            "--no-enable-prefix-caching, or use another dtype"
        )
    return Check(name, found, error)
