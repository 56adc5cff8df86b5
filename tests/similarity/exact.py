"""What the estimators converge to, by enumerating every trajectory of a tiny toy model."""

from functools import lru_cache
from itertools import product

import numpy as np

from similarity.arrays import FloatArray, LogProbs
from similarity.law import Law
from similarity.models.base import TokenIds
from similarity.models.toy import ToyModel


class SmallToy(ToyModel):
    """A toy of so few letters that it can remember all that it was ever asked."""

    def __init__(self, *, end: float = 0.25) -> None:
        super().__init__(b"ab.", prior=0.5, end=end)
        self.remembered = lru_cache(maxsize=None)(super().step_log_probs)

    def step_log_probs(self, context: TokenIds, law: Law) -> LogProbs:
        return self.remembered(context, law)


def every_trajectory(toy: ToyModel, max_tokens: int) -> list[TokenIds]:
    """Return those that end before the limit, and those that it cuts."""
    (end,) = toy.end_ids
    ended = [
        (*ids, end) for length in range(max_tokens) for ids in product(range(end), repeat=length)
    ]
    return ended + list(product(range(end), repeat=max_tokens))


def log_probs(toy: ToyModel, text: str, trajectory: TokenIds) -> FloatArray:
    """Return log P(token | text, tokens before), nats, shape "token"."""
    return np.array(
        [
            row[token]
            for row, token in zip(distributions(toy, text, trajectory), trajectory, strict=True)
        ]
    )


def distributions(toy: ToyModel, text: str, trajectory: TokenIds) -> list[FloatArray]:
    """Return log P(· | text, tokens before) at each token."""
    prefix = toy.encode(text)
    return [toy.step_log_probs(prefix + trajectory[:i], Law()) for i in range(len(trajectory))]


def probabilities(toy: ToyModel, text: str, trajectories: list[TokenIds]) -> FloatArray:
    """Return the probability of each trajectory after a text; together they are 1."""
    found = np.array([np.exp(log_probs(toy, text, t).sum()) for t in trajectories])
    np.testing.assert_allclose(found.sum(), 1.0)
    return found


def mean_log_probs(toy: ToyModel, text: str, trajectories: list[TokenIds]) -> FloatArray:
    """Return log M of each trajectory, nats per token."""
    return np.array([log_probs(toy, text, t).mean() for t in trajectories])
