"""The log-likelihood matrix, text × trajectory: the only place where a mean over tokens is taken.

It is kept in blocks: the likelihoods under text i of the trajectories of text j. Only the blocks
that some pair needs are computed, each once.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from similarity.arrays import FloatArray, LogProbs
from similarity.errors import WrongAnswerError
from similarity.law import Law
from similarity.models.base import (
    Continuation,
    LanguageModel,
    OnProgress,
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
    on_progress: OnProgress = ignore_progress,
) -> dict[Block, FloatArray]:
    """Return log M_i(t) for the trajectories t of text j, for each block (i, j).

    Parameters
    ----------
    trajectories
        Of each prefix, shape "text trajectory".
    blocks
        Index pairs (i, j) into `prefixes`.
    on_progress
        Called with the number of texts under which all is scored.

    Returns
    -------
    dict
        Block to row, shape "trajectory": mean log-probability, nats per token.
    """
    ordered = sorted(blocks)
    known: dict[Block, FloatArray] = {}
    if sampling_law == scoring_law:
        # Where sampling gave numbers as good as scoring's, a text's own need no second pass.
        own = {i: _sampled_log_probs(trajectories[i]) for i, j in ordered if i == j}
        known = {(i, i): mean_log_probs(rows) for i, rows in own.items() if rows is not None}
        # After the same tokens they are as likely: rounding must not make such texts differ.
        known |= {
            (i, j): known[j, j]
            for i, j in ordered
            if (j, j) in known and prefixes[i].token_ids == prefixes[j].token_ids
        }

    wanted: dict[int, list[int]] = defaultdict(list)
    for i, j in ordered:
        if (i, j) not in known:
            wanted[i].append(j)
    requests = [
        ScoreRequest(
            prefix=prefixes[i].token_ids,
            continuations=tuple(c.token_ids for j in others for c in trajectories[j]),
        )
        for i, others in wanted.items()
    ]
    for (i, others), rows in zip(
        wanted.items(), model.score(requests, scoring_law, on_progress), strict=True
    ):
        remaining = iter(rows)
        for j in others:
            known[i, j] = mean_log_probs(list(islice(remaining, len(trajectories[j]))))
    return known


def _sampled_log_probs(trajectories: Sequence[Continuation]) -> list[LogProbs] | None:
    """Return what sampling said of all of them, or None if it did not."""
    rows = [trajectory.log_probs for trajectory in trajectories if trajectory.log_probs is not None]
    return rows if len(rows) == len(trajectories) else None


def mean_log_probs(rows: Sequence[LogProbs]) -> FloatArray:
    """Return the mean over tokens of each row, shape "trajectory": log M, nats per token.

    Raises
    ------
    WrongAnswerError
        If one is not finite.
    """
    means = np.array([row.mean() for row in rows], dtype=np.float64)
    if not np.isfinite(means).all():
        raise WrongAnswerError(
            "the model gave log-probabilities that are not finite; use another dtype or model"
        )
    return means
