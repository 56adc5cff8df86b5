"""The slow, obvious way to use a network: everything is read again for each token.

No cache, no padding, no packing, no batch: what the fast paths are tested and timed against.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from similarity.arrays import LogProbs, Rows
from similarity.law import Law
from similarity.models.base import Ability, OnProgress, TokenIds, ignore_progress
from similarity.models.head import captured
from similarity.models.kinds import each
from similarity.models.local import LocalModel
from similarity.models.stepwise import StepwiseModel
from similarity.models.tokenization import Tokenized
from similarity.models.torch_ops import law_log_probs


class ReferenceModel(Tokenized, StepwiseModel):
    """A local model's network and tokenizer, used in the plainest way."""

    def __init__(self, model: LocalModel) -> None:
        self._model = model
        self.info = model.info
        self.tokenization = model.tokenization
        self.end_ids = model.end_ids
        self.vocab_size = model.vocab_size
        self.assets = model.assets
        self.abilities = model.abilities - {Ability.IMAGES}

    def step_log_probs(self, context: TokenIds, law: Law) -> LogProbs:
        """Return log P(token | context) under the law, shape "token" in nats, by one reading."""
        return self._read(context, law)[-1].double().cpu().numpy()

    def hidden_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> list[Rows]:
        """Read each prefix alone."""

        def one(prefix: TokenIds) -> Rows:
            return self._model.hidden_states([prefix])[0]

        return each(one, on_progress)(prefixes)

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        """Read each prefix alone, and keep the state before the head at its end."""
        return np.concatenate(each(self._next_state, on_progress)(prefixes))

    def output_head(self) -> tuple[Rows, Rows | None]:
        """Return the output head of the wrapped model."""
        return self._model.output_head()

    @torch.inference_mode()
    def _next_state(self, prefix: TokenIds) -> Rows:
        module: Any = self._model.network.module
        ids = torch.tensor([prefix], device=self._model.network.device)
        given, _ = captured(module, module.get_output_embeddings(), lambda _: module(input_ids=ids))
        state: Rows = given[:, -1].float().cpu().numpy()
        return state

    def _score_one(self, prefix: TokenIds, continuation: TokenIds, law: Law) -> LogProbs:
        """Score by one reading of prefix and continuation, as a script would."""
        rows = self._read(prefix + continuation[:-1], law)[len(prefix) - 1 :]
        tokens = torch.tensor(continuation, device=rows.device)
        return rows.gather(-1, tokens[:, None])[:, 0].double().cpu().numpy()

    @torch.inference_mode()
    def _read(self, ids: TokenIds, law: Law) -> torch.Tensor:
        """Return log-probabilities, shape "position token", after each position."""
        network = self._model.network
        logits = network.read(torch.tensor([ids], device=network.device))
        return law_log_probs(logits[0], law)
