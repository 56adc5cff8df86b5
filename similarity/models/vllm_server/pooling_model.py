"""The language model on vLLM servers that pool: it gives states, and nothing else."""

from collections.abc import Sequence

from similarity.arrays import Rows
from similarity.models.base import OnProgress, TokenIds, ignore_progress
from similarity.models.states_only import StatesOnly
from similarity.models.vllm_server.background import Background
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.pooled_states import PooledIdentity, all_states
from similarity.models.vllm_server.served import ServedModel
from similarity.models.vllm_server.texts import PooledTexts


class PoolingModel(StatesOnly, ServedModel):
    """A model on vLLM servers that pool the last token."""

    place = "on a server that pools"
    cure = "start the server to generate (without --runner pooling and --convert)"

    def __init__(self, background: Background, pool: Pool, identity: PooledIdentity) -> None:
        texts = PooledTexts(pool, identity)
        super().__init__(background, pool, identity, identity.revision, texts)
        self.identity = identity

    def decode(self, token_ids: TokenIds) -> str:
        """Return the server's text of ids, without those that begin and end a sequence."""
        return super().decode(tuple(i for i in token_ids if i not in self.identity.begin))

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        """Request the states of many prefixes at a time.

        Raises
        ------
        WrongAnswerError
            If a server no longer holds the model that it held at the beginning.
        """
        return self._run(
            lambda count: all_states(self._pool, self.identity, prefixes, count), on_progress
        )
