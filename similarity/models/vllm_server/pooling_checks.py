"""What is checked of a server that pools before any state of it is believed."""

from similarity.errors import BackendRefusedError, ModelError, WrongAnswerError
from similarity.models.checks import Check
from similarity.models.vllm_server.config import ServerAddress
from similarity.models.vllm_server.inspection import check_model
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.pooled_states import PooledIdentity, ask_states, identify_pooling
from similarity.models.walks import check_pooled, check_repeated

# How a server must be started.
POOLER = """--pooler-config '{"seq_pooling_type": "LAST", "use_activation": false}'"""


async def inspect_pooling(pool: Pool, address: ServerAddress) -> tuple[PooledIdentity, list[Check]]:
    """Return what a server that pools serves, and its checks; `pool` has that one alone."""
    url, identity = pool.replicas[0].url, await identify_pooling(pool, address)

    def refused(what: str) -> ModelError:
        return BackendRefusedError(f"{url} {what}; start it with {POOLER}")

    return identity, [
        check_model(identity, identity.revision, address, url),
        Check("tokenizer", f"{identity.tokenizer}, begins with {list(identity.begin)}"),
        *check_pooled(identity.walk, refused),
        await _check_repeated(pool, identity, url),
    ]


async def _check_repeated(pool: Pool, identity: PooledIdentity, url: str) -> Check:
    backwards = await ask_states(pool, identity.name, identity.beginnings[::-1])
    alone = await ask_states(pool, identity.name, identity.beginnings[-1:])

    def refused(what: str) -> ModelError:
        cure = "start it with --no-enable-prefix-caching, or use another dtype"
        return WrongAnswerError(f"{url} {what}; {cure}")

    return check_repeated(identity.walk, backwards, alone, refused)
