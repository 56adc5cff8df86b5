"""The most probable next tokens, where whole distributions are too much or cannot be had."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from similarity.errors import WrongAnswerError


@dataclass(frozen=True, eq=False)
class TopTokens:
    """The k most probable next tokens at each of some places.

    Of tokens that are equally probable those of lower id are taken, but for a server that makes
    its own choice.

    Parameters
    ----------
    ids, log_probs
        Shape "place k", the ids of a place in ascending order; log P in nats.
    """

    ids: NDArray[np.int64]
    log_probs: NDArray[np.float32]


def most_probable(rows: NDArray[np.float32], k: int) -> TopTokens:
    """Return the k most probable tokens of whole distributions, or all where there are fewer.

    Parameters
    ----------
    rows
        Log-probabilities, shape "place vocabulary" in nats.

    Raises
    ------
    WrongAnswerError
        If one is not finite: then there is no order.
    """
    if not np.isfinite(rows).all():
        raise WrongAnswerError("next-token distributions are not finite; use another dtype")
    k = min(k, rows.shape[1])
    least = np.partition(rows, -k, axis=1)[:, -k, None]
    kept, equal = rows > least, rows == least
    room = k - kept.sum(axis=1, keepdims=True)
    kept |= equal & (equal.cumsum(axis=1) <= room)
    ids = np.nonzero(kept)[1].reshape(len(rows), k)
    return TopTokens(ids, np.take_along_axis(rows, ids, axis=1))


def listed_tokens(places: Sequence[Mapping[int, float]], k: int) -> TopTokens:
    """Return the k most probable of the tokens that vLLM lists at each place of a prompt.

    Parameters
    ----------
    places
        From token to log-probability in nats: the k most probable, and the token that stands
        there in the prompt. That one is listed wherever it is, so it is left out again where it
        is not of the k.

    Raises
    ------
    WrongAnswerError
        If more or fewer are listed, or a number is not finite.
    """
    if not all(math.isfinite(value) for place in places for value in place.values()):
        raise WrongAnswerError("gave log-probabilities that are not finite; use another dtype")
    wrong = [len(place) for place in places if len(place) not in (k, k + 1)]
    if wrong:
        raise WrongAnswerError(f"listed {wrong[0]} tokens of a place, and {k} were requested")
    best = [sorted(place, key=lambda token: (-place[token], token))[:k] for place in places]
    ids = np.array([sorted(tokens) for tokens in best], dtype=np.int64)
    rows = [
        [place[token] for token in row] for place, row in zip(places, ids.tolist(), strict=True)
    ]
    return TopTokens(ids, np.array(rows, dtype=np.float32))
