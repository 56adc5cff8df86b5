"""The slow, obvious way to sample and score: one row, one step, everything read again.

No cache, no padding, no packing, no batch: what the fast paths are tested and timed against.
"""

from collections.abc import Sequence

import numpy as np
import torch

from similarity.config import Law
from similarity.models.base import (
    Advance,
    Continuation,
    LanguageModel,
    LogProbs,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.local import LocalModel
from similarity.models.torch_ops import law_log_probs
from similarity.noise import exponential, step_key


class ReferenceModel(LanguageModel):
    """A local model's network and tokenizer, used in the plainest way."""

    def __init__(self, model: LocalModel) -> None:
        self._model = model
        self.info = model.info
        self.end_ids = model.end_ids

    def encode(self, text: str) -> TokenIds:
        """Return what the wrapped model does."""
        return self._model.encode(text)

    def decode(self, token_ids: TokenIds) -> str:
        """Return what the wrapped model does."""
        return self._model.decode(token_ids)

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, advance: Advance = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample one trajectory after the other."""
        results = []
        for request in requests:
            results.append([self._sample_one(request, i, law) for i in range(request.n)])
            advance(1)
        return results

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, advance: Advance = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score one continuation after the other, one reading each."""
        results = []
        for request in requests:
            scored = request.continuations
            results.append([self._score_one(request.prefix, ids, law) for ids in scored])
            advance(1)
        return results

    def _sample_one(self, request: SampleRequest, trajectory: int, law: Law) -> Continuation:
        tokens: list[int] = []
        log_probs: list[float] = []
        for step in range(request.max_tokens):
            row = self._read([*request.prefix, *tokens], law)[-1:]
            waits = exponential(step_key(request.key, trajectory, step), row.shape[-1])
            token = int(np.argmax(row[0].cpu().numpy() - np.log(waits)))
            tokens.append(token)
            log_probs.append(float(row[0, token]))
            if token in self.end_ids:
                break
        return Continuation(token_ids=tuple(tokens), log_probs=np.array(log_probs))

    def _score_one(self, prefix: TokenIds, continuation: TokenIds, law: Law) -> LogProbs:
        rows = self._read([*prefix, *continuation[:-1]], law)[len(prefix) - 1 :]
        tokens = torch.tensor(continuation, device=rows.device)
        return rows.gather(-1, tokens[:, None])[:, 0].double().cpu().numpy()

    @torch.inference_mode()
    def _read(self, ids: Sequence[int], law: Law) -> torch.Tensor:
        """Return log-probabilities, shape "position token", after each position."""
        network = self._model.network
        logits = network.read(torch.tensor([list(ids)], device=network.device))
        return law_log_probs(logits[0], law)
