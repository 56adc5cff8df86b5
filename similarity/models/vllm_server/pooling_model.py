"""The language model on vLLM servers that pool: it gives states, and nothing else."""

from collections.abc import Sequence
from typing import NoReturn

from similarity.arrays import LogProbs, Rows
from similarity.errors import UnsupportedError
from similarity.law import Law
from similarity.models.base import (
    Ability,
    Continuation,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.vllm_server.background import Background
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.pooled_states import PooledIdentity, all_states
from similarity.models.vllm_server.served import ServedModel
from similarity.models.vllm_server.texts import PooledTexts


class PoolingModel(ServedModel):
    """A model on vLLM servers that pool the last token."""

    generates = False

    def __init__(self, background: Background, pool: Pool, identity: PooledIdentity) -> None:
        texts = PooledTexts(pool, identity)
        super().__init__(background, pool, identity, identity.revision, texts)
        self.identity = identity
        self.abilities = frozenset({Ability.NEXT_STATES})

    def decode(self, token_ids: TokenIds) -> str:
        """Return the server's text of ids, without what begins and ends a sequence."""
        return super().decode(tuple(i for i in token_ids if i not in self.identity.begin))

    def check_scoring(self, law: Law) -> None:
        """Raise UnsupportedError: nothing is scored."""
        self._refuse()

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Raise UnsupportedError: nothing is sampled."""
        self._refuse()

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Raise UnsupportedError: nothing is scored."""
        self._refuse()

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        """Ask for the states of many prefixes at a time.

        Raises
        ------
        WrongAnswerError
            If a server no longer holds the model that it held at the beginning.
        """
        return self._run(
            lambda count: all_states(self._pool, self.identity, prefixes, count), on_progress
        )

    def _refuse(self) -> NoReturn:
        raise UnsupportedError(
            f"{self.info.name} is on a server that pools, which neither samples nor scores "
            "continuations; use preset fast, meaning or best, or start the server to generate "
            "(without --runner pooling and --convert)"
        )
