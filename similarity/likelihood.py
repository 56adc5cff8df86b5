"""The log-likelihood matrix, text × trajectory: the only place where a mean over tokens is taken.

It is kept in blocks: the likelihoods under text i of the trajectories of text j. Only the blocks
that some pair needs are computed, each once.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from similarity.config import Law
from similarity.distances import FloatArray
from similarity.errors import WrongAnswerError
from similarity.models.base import (
    Advance,
    Continuation,
    LanguageModel,
    LogProbs,
    ScoreRequest,
    ignore_progress,
)
from similarity.trajectories import Prefix

Block = tuple[int, int]


def blocks_of_pairs(pairs: Iterable[Block]) -> set[Block]:
    """Return the blocks (scored under, sampled from) that these pairs of texts need."""
    return {block for u, v in pairs for block in ((u, u), (u, v), (v, u), (v, v))}


def log_likelihoods(
    model: LanguageModel,
    prefixes: Sequence[Prefix],
    trajectories: Sequence[Sequence[Continuation]],
    blocks: Iterable[Block],
    scoring_law: Law,
    *,
    sampling_law: Law,
    advance: Advance = ignore_progress,
) -> dict[Block, FloatArray]:
    """Return log M_i(t) for the trajectories t of text j, for each block (i, j).

    Parameters
    ----------
    trajectories
        Of each prefix, shape "text trajectory".
    blocks
        Index pairs (i, j) into `prefixes`.
    advance
        Called with the number of texts under which all is scored.

    Returns
    -------
    dict
        Block to row, shape "trajectory": mean log-probability, nats per token.
    """
    known: dict[Block, FloatArray] = {}
    wanted: dict[int, list[int]] = defaultdict(list)
    for i, j in sorted(blocks):
        sampled = [c.log_probs for c in trajectories[j]] if i == j else []
        if sampling_law == scoring_law and sampled and all(s is not None for s in sampled):
            known[i, j] = _means([s for s in sampled if s is not None])
        else:
            wanted[i].append(j)
    requests = [
        ScoreRequest(
            prefix=prefixes[i].token_ids,
            continuations=tuple(c.token_ids for j in others for c in trajectories[j]),
        )
        for i, others in wanted.items()
    ]
    scored = model.score(requests, scoring_law, advance)
    for (i, others), rows in zip(wanted.items(), scored, strict=True):
        start = 0
        for j in others:
            stop = start + len(trajectories[j])
            known[i, j] = _means(rows[start:stop])
            start = stop
    return known


def _means(rows: Sequence[LogProbs]) -> FloatArray:
    """Return the mean over tokens of each row, shape "trajectory": log M, nats per token."""
    means = np.array([row.mean() for row in rows], dtype=np.float64)
    if not np.isfinite(means).all():
        raise WrongAnswerError(
            "the model gave log-probabilities that are not finite; use another dtype or model"
        )
    return means
