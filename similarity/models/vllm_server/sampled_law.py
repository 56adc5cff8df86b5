"""Whether tokens were sampled from the model itself, or by another law.

A server's own settings may change the law that was asked for, and so may what stands between.
Its log-probabilities are those of the model all the same, so they do not show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from similarity.arrays import FloatArray, LogProbs
from similarity.errors import WrongAnswerError
from similarity.law import Law
from similarity.models.vllm_server import values
from similarity.models.vllm_server.wire import Sample, other_shape

# The most probable tokens that are listed where one is sampled: a server lists 20 by default.
TOP = 5
# Near what settings have most often. Laws between these are found too, by more tokens.
OTHER_LAWS = {
    "greedily": Law(top_k=1),
    "at temperature 0.3": Law(temperature=0.3),
    "at temperature 0.7": Law(temperature=0.7),
    "at temperature 1.5": Law(temperature=1.5),
    "by top-k 5": Law(top_k=5),
    "by top-p 0.5": Law(top_p=0.5),
    "by top-p 0.9": Law(top_p=0.9),
}
# Samples are refused where other laws make them so many times likelier. By Ville's inequality the
# samples of a right server are so with probability 1e-9 at most, however many tokens they have.
LEAST_ODDS = 1e9
# How much of another law is the model: a token that it excludes, as by a tie, then rules out none.
_BLURRED = 1e-3
# Below this the sum of what is listed leaves nothing but rounding.
_LEAST = 1e-7


@dataclass(frozen=True, eq=False)
class Places:
    """What was listed where tokens were sampled.

    Parameters
    ----------
    listed
        Log-probabilities of the most probable tokens, the greatest first: shape "place rank", nats.
    ranks
        Which of them was sampled, shape "place"; their number where it was another token.
    """

    listed: LogProbs
    ranks: NDArray[np.int64]


def read_places(choices: Sequence[Any], samples: Sequence[Sample]) -> Places:
    """Return what is listed at each token of samples.

    Raises
    ------
    WrongAnswerError
        If more or fewer are listed than TOP and the sampled one, or that one is not, or they are
        not log-probabilities of one law.
    """
    listed: list[list[float]] = []
    ranks: list[int] = []
    for choice, sample in zip(choices, samples, strict=True):
        try:
            places = values.listed(choice["logprobs"]["top_logprobs"])
            if len(places) != len(sample.token_ids):
                raise WrongAnswerError(
                    f"listed the most probable tokens at {len(places)} places of a sample of "
                    f"{len(sample.token_ids)} tokens; is it a vLLM server?"
                )
            for place, token in zip(places, sample.token_ids, strict=True):
                row, rank = _ranked(place, f"token_id:{token}")
                listed.append(row)
                ranks.append(rank)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise other_shape(error) from error
    values.check_places(listed)
    return Places(np.array(listed, np.float64), np.array(ranks, np.int64))


def _ranked(place: Any, sampled: str) -> tuple[list[float], int]:
    """Return the TOP log-probabilities of a place in descending order, and the sampled one's."""
    if sampled not in place or len(place) not in (TOP, TOP + 1):
        raise WrongAnswerError(
            f"listed {len(place)} tokens where one was sampled, and the {TOP} most probable and "
            "that one were requested; is it a vLLM server?"
        )
    # The order of equal ones must not depend on which was sampled, and vLLM lists that one first.
    best = sorted(place, key=lambda name: (-values.number(place[name]), name))
    if len(best) > TOP:
        # It is listed beside the most probable, of which it may be the equal.
        best.remove(sampled)
    return [place[name] for name in best], best.index(sampled) if sampled in best else TOP


def likelier_law(places: Places) -> tuple[str, float]:
    """Return the other law that samples speak for most, and the odds of all against the model.

    The odds are a log likelihood ratio in nats: of the mean over the other laws.
    """
    model = _with_others(np.exp(places.listed))
    own = _at(model, places.ranks)
    odds = [
        float(np.log(_BLURRED + (1 - _BLURRED) * _at(under, places.ranks) / own).sum())
        for under in (_under(model, law) for law in OTHER_LAWS.values())
    ]
    best = list(OTHER_LAWS)[int(np.argmax(odds))]
    return best, float(scipy.special.logsumexp(odds) - np.log(len(odds)))


def _with_others(listed: FloatArray) -> FloatArray:
    """Return the probabilities of listed tokens and of all others together, which sum to 1."""
    every = np.maximum(np.column_stack([listed, 1.0 - listed.sum(axis=1)]), _LEAST)
    joined: FloatArray = every / every.sum(axis=1, keepdims=True)
    return joined


def _under(model: FloatArray, law: Law) -> FloatArray:
    """Return the probabilities under another law.

    The tokens that are not listed count as many of the least probability that is. No assumption of
    them makes a right server suspect: the odds are those of two laws in any case.
    """
    least, others = model[:, -2:-1], model[:, -1:]
    weights = model ** (1.0 / law.temperature)
    weights[:, -1:] = others * least ** (1.0 / law.temperature - 1.0)
    if law.top_k:
        weights[:, law.top_k :] = 0.0
    before = np.cumsum(model, axis=1) - model
    weights[before >= law.top_p] = 0.0
    weights[:, -1:] *= np.clip((law.top_p - before[:, -1:]) / others, 0.0, 1.0)
    under: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return under


def _at(rows: FloatArray, ranks: NDArray[np.int64]) -> FloatArray:
    taken: FloatArray = np.take_along_axis(rows, ranks[:, None], axis=1)[:, 0]
    return taken
